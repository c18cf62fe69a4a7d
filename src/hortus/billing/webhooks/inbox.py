"""Inbox of webhooks: verify, store once, acknowledge, then process in a task; list events that were missed."""

from collections.abc import Mapping
from datetime import timedelta

import structlog
from sqlalchemy import select, update

from hortus import tasks
from hortus.billing.errors import BadSignature, GatewayUnknown
from hortus.billing.sync import sync_from_gateway
from hortus.billing.tables import WebhookEvent
from hortus.core import clock, ids
from hortus.core.db import Database, Tx
from hortus.core.errors import NotFound
from hortus.core.resources import Resources
from hortus.payments import (
    Gateway,
    GatewayError,
    GatewayNotConfigured,
    Gateways,
    GatewayUnavailable,
    IncomingEvent,
    InvalidSignature,
    ObjectRef,
)

log = structlog.get_logger()
RECONCILED = timedelta(hours=26)
"""Period that a sweep lists: longer than the first day of retries of any gateway."""


class EventNotFound(NotFound):
    """No such webhook event."""

    code = "webhook_event_not_found"
    detail = "There is no webhook event of that id."


def parse(gateways: Gateways, gateway_id: str, headers: Mapping[str, str], body: bytes) -> IncomingEvent:
    """Verify and parse a webhook. Raises GatewayUnknown (also without a secret) and BadSignature."""
    gateway = gateways.get(gateway_id)
    if gateway is None:
        raise GatewayUnknown
    try:
        return gateway.parse_webhook(headers, body, clock.now())
    except GatewayNotConfigured:
        raise GatewayUnknown from None
    except InvalidSignature as invalid:
        log.warning("webhook_refused", gateway=gateway_id, reason=str(invalid))
        raise BadSignature from None


async def receive(tx: Tx, gateway_id: str, incoming: IncomingEvent, body: bytes | None) -> bool:
    """Store an event, once, and enqueue its processing; return whether it is new."""
    ref = incoming.ref
    row = {
        "id": ids.new(),
        "gateway": gateway_id,
        "event_id": incoming.event_id,
        "kind": incoming.kind[:120],
        "subject_kind": ref.kind if ref is not None else None,
        "subject_id": ref.external_id if ref is not None else None,
        "body": body,
        "status": "ignored" if ref is None else "pending",
        "failure": None,
        "occurred_at": incoming.occurred_at,
        "received_at": clock.now(),
        "processed_at": None,
    }
    inserted = await tx.execute(
        tx.insert(WebhookEvent)
        .values(**row)
        .on_conflict_do_nothing(index_elements=["gateway", "event_id"])
        .returning(WebhookEvent.id)
    )
    if inserted.first() is None:
        return False
    if ref is not None:
        await tasks.enqueue(tx, PROCESS, {"event_id": row["id"]})
    return True


async def replay(tx: Tx, event_id: str) -> None:
    """Process an event again, whatever its status. Raises EventNotFound."""
    again = await tx.execute(
        update(WebhookEvent)
        .where(WebhookEvent.id == event_id, WebhookEvent.subject_id.is_not(None))
        .values(status="pending", failure=None)
        .returning(WebhookEvent.id)
    )
    if again.first() is None:
        raise EventNotFound
    await tasks.enqueue(tx, PROCESS, {"event_id": event_id})


async def _process(resources: Resources, task: tasks.ClaimedTask) -> None:
    event_id = task.payload["event_id"]
    async with resources[Database].snapshot() as tx:
        event = (await tx.execute(select(WebhookEvent).where(WebhookEvent.id == event_id))).scalar_one_or_none()
    if event is None or event.status != "pending":
        return
    gateway = resources[Gateways].get(event.gateway)
    if gateway is None:
        raise tasks.Retry(600, f"the gateway {event.gateway} is not configured")

    async def mark(tx: Tx) -> bool:
        # The row lock: a concurrent task waits here and then finds the event processed.
        handled = await tx.execute(
            update(WebhookEvent)
            .where(WebhookEvent.id == event_id, WebhookEvent.status == "pending")
            .values(status="processed", processed_at=clock.now(), failure=None)
            .returning(WebhookEvent.id)
        )
        return handled.first() is not None

    ref = ObjectRef(event.subject_kind, event.subject_id or "")  # type: ignore[arg-type] # written by `receive`
    try:
        await sync_from_gateway(resources, gateway, ref, mark)
    except GatewayUnavailable as error:
        raise tasks.Retry(error.after, str(error)) from None
    except GatewayError as error:
        raise tasks.Retry(reason=f"{type(error).__name__}: {error}") from None


async def _on_dead_letter(tx: Tx, _resources: Resources, task: tasks.ClaimedTask) -> None:
    await tx.execute(
        update(WebhookEvent)
        .where(WebhookEvent.id == task.payload["event_id"], WebhookEvent.status == "pending")
        .values(status="failed", failure="too many attempts; replay it once the cause is removed")
    )


PROCESS = tasks.register(
    "billing.event",
    _process,
    time_limit=120,
    attempts=12,
    backoff=2,
    longest_backoff=900,
    on_dead_letter=_on_dead_letter,
)


async def reconcile(resources: Resources, _task: tasks.ClaimedTask) -> None:
    """Find events whose webhooks were lost, from the gateways' own lists."""
    for gateway in resources[Gateways].ready():
        try:
            found = await _reconcile(resources, gateway)
        except GatewayError as error:
            log.warning("reconcile_failed", gateway=gateway.id, reason=f"{type(error).__name__}: {error}")
            continue
        if found:
            log.warning("webhooks_missed", gateway=gateway.id, events=found)


async def _reconcile(resources: Resources, gateway: Gateway) -> int:
    found = 0
    async for incoming in gateway.list_events_since(clock.now() - RECONCILED):
        async with resources[Database].snapshot() as tx:
            query = select(WebhookEvent.id).where(
                WebhookEvent.gateway == gateway.id, WebhookEvent.event_id == incoming.event_id
            )
            known = (await tx.execute(query)).first() is not None
        if known:
            continue
        try:
            async with resources[Database].transaction() as tx:
                found += await receive(tx, gateway.id, incoming, None) and not incoming.synthetic
        except Exception:  # continue with the next event
            log.exception("missed_event_not_written", gateway=gateway.id, event_id=incoming.event_id[:80])
    return found
