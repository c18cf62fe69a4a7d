"""Queries for webhook events."""

from typing import Any, Literal

from sqlalchemy import select

from hortus.billing.tables import WebhookEvent
from hortus.billing.webhooks.inbox import EventNotFound
from hortus.core.db import Tx
from hortus.core.db.paging import Page, PageRequest, newest

EventStatus = Literal["pending", "processed", "ignored", "failed"]


async def find_webhook_events(tx: Tx, paging: PageRequest, *, status: EventStatus | None = None) -> Page[Any]:
    """Webhook events, newest first."""
    query = select(WebhookEvent)
    if status is not None:
        query = query.where(WebhookEvent.status == status)
    return await newest(tx, query, paging, WebhookEvent.id)


async def webhook_event(tx: Tx, event_id: str) -> WebhookEvent:
    """One webhook event. Raises EventNotFound."""
    query = select(WebhookEvent).where(WebhookEvent.id == event_id).execution_options(populate_existing=True)
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        raise EventNotFound
    return found
