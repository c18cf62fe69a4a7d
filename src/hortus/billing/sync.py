"""Ask a gateway what is true, and take note of it. Whatever happened, this is how it becomes known."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from weakref import WeakValueDictionary

import structlog
from sqlalchemy import select

from hortus.billing.errors import GatewayFailed
from hortus.billing.events import StaleRead, apply_events
from hortus.core.db import Database, Tx, db_now
from hortus.core.resources import Resources
from hortus.payments import Gateway, ObjectRef, PaymentEvent

log = structlog.get_logger()
TRIES = 8


async def sync_from_gateway(
    resources: Resources, gateway: Gateway, ref: ObjectRef, also: Callable[[Tx], Awaitable[bool]] | None = None
) -> bool:
    """Take all that is true of a subject now; whether the gateway knows it.

    `also` works first in the same transaction; when it says False, nothing is taken. Never called inside a
    transaction. Raises GatewayError, and GatewayFailed when others kept changing the same thing.

    A fact that cannot be booked does not keep the others from being booked: its error is raised once they are, and
    what `also` did is rolled back.
    """
    database = resources.get(Database)
    async with _one_at_a_time.setdefault((gateway.id, ref), asyncio.Lock()):
        return await _sync(database, gateway, ref, also)


_one_at_a_time: WeakValueDictionary[tuple[str, ObjectRef], asyncio.Lock] = WeakValueDictionary()
"""Events of one object arrive together; of those that read it at once, all but one would have to read it again."""


async def _sync(
    database: Database, gateway: Gateway, ref: ObjectRef, also: Callable[[Tx], Awaitable[bool]] | None
) -> bool:
    for _ in range(TRIES):
        async with database.snapshot() as tx:
            fetched_at = (await tx.execute(select(db_now()))).scalar_one()
        events = await gateway.fetch_events(ref)
        try:
            async with database.transaction() as tx:
                if also is None or await also(tx):
                    await apply_events(tx, gateway.id, events, fetched_at)
        except StaleRead:
            continue
        except Exception:
            if len(events) > 1:
                await _book_each(database, gateway.id, events, fetched_at)
            raise
        return bool(events)
    raise GatewayFailed


async def _book_each(database: Database, gateway: str, events: Sequence[PaymentEvent], fetched_at: datetime) -> None:
    """Book each fact in a transaction of its own, in their order; log what cannot be booked."""
    for event in events:
        try:
            async with database.transaction() as tx:
                await apply_events(tx, gateway, [event], fetched_at)
        except StaleRead:
            continue  # something newer was booked meanwhile
        except Exception:
            log.exception("payment_event_not_booked", gateway=gateway, event=type(event).__name__)
