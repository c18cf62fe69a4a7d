"""Fetch the current state of an object from its gateway and apply it. Webhooks, callbacks and sweeps all end here."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from weakref import WeakValueDictionary

import structlog
from sqlalchemy import select

from hortus.billing.errors import GatewayFailed
from hortus.core.db import Database, Tx, db_now
from hortus.core.resources import Resources
from hortus.payments import (
    Gateway,
    ObjectRef,
    PaymentEvent,
)

log = structlog.get_logger()
TRIES = 8
ApplyEvents = Callable[[Tx, str, Sequence[PaymentEvent], datetime], Awaitable[None]]


class StaleRead(Exception):
    """A newer state was applied since this one was fetched: fetch again."""


class GatewaySync:
    """Fetches events from gateways and applies them, one object at a time per process."""

    def __init__(self, database: Database, apply: ApplyEvents) -> None:
        self._database, self._apply = database, apply
        self._locks: WeakValueDictionary[tuple[str, ObjectRef], asyncio.Lock] = WeakValueDictionary()
        """Webhooks of one object arrive together; without the lock, all but one would have to fetch it again."""

    async def run(self, gateway: Gateway, ref: ObjectRef, also: Callable[[Tx], Awaitable[bool]] | None = None) -> bool:
        """See `sync_from_gateway`."""
        async with self._locks.setdefault((gateway.id, ref), asyncio.Lock()):
            for _ in range(TRIES):
                async with self._database.snapshot() as tx:
                    fetched_at = (await tx.execute(select(db_now()))).scalar_one()
                events = await gateway.fetch_events(ref)
                try:
                    async with self._database.transaction() as tx:
                        if also is None or await also(tx):
                            await self._apply(tx, gateway.id, events, fetched_at)
                except StaleRead:
                    continue
                except Exception:
                    if len(events) > 1:
                        await self._apply_each(gateway.id, events, fetched_at)
                    raise
                return bool(events)
        raise GatewayFailed

    async def _apply_each(self, gateway: str, events: Sequence[PaymentEvent], fetched_at: datetime) -> None:
        """Apply each event in a transaction of its own, in order; log those that fail."""
        for event in events:
            try:
                async with self._database.transaction() as tx:
                    await self._apply(tx, gateway, [event], fetched_at)
            except StaleRead:
                continue  # a newer state was applied meanwhile
            except Exception:
                log.exception("payment_event_not_booked", gateway=gateway, kind=type(event).__name__)


async def sync_from_gateway(
    resources: Resources, gateway: Gateway, ref: ObjectRef, also: Callable[[Tx], Awaitable[bool]] | None = None
) -> bool:
    """Fetch the state of an object and apply it; return whether the gateway has such an object.

    `also` runs first in the same transaction; when it returns False, nothing is applied. Never called inside a
    transaction. Raises GatewayError, and GatewayFailed when concurrent changes kept making the read stale.

    An event that cannot be applied does not keep the others from being applied: its error is raised afterwards, and
    the work of `also` is rolled back.
    """
    return await resources[GatewaySync].run(gateway, ref, also)
