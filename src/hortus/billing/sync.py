"""Ask a gateway what is true, and take note of it. Whatever happened, this is how it becomes known."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from weakref import WeakValueDictionary

import structlog
from sqlalchemy import select

from hortus.billing.errors import GatewayFailed
from hortus.billing.events import Outdated, apply
from hortus.core.db import Database, Tx, db_now
from hortus.core.resources import Resources
from hortus.payments import Fact, Gateway, Subject

log = structlog.get_logger()
TRIES = 8


async def refresh(
    resources: Resources, gateway: Gateway, subject: Subject, also: Callable[[Tx], Awaitable[bool]] | None = None
) -> bool:
    """Take all that is true of a subject now; whether the gateway knows it.

    `also` works first in the same transaction; when it says False, nothing is taken. Never called inside a
    transaction. Raises GatewayError, and GatewayFailed when others kept changing the same thing.

    A fact that cannot be booked does not keep the others from being booked: its error is raised once they are, and
    what `also` did is rolled back.
    """
    database = resources.get(Database)
    async with _one_at_a_time.setdefault((gateway.id, subject), asyncio.Lock()):
        return await _refresh(database, gateway, subject, also)


_one_at_a_time: WeakValueDictionary[tuple[str, Subject], asyncio.Lock] = WeakValueDictionary()
"""Events of one object arrive together; of those that read it at once, all but one would have to read it again."""


async def _refresh(
    database: Database, gateway: Gateway, subject: Subject, also: Callable[[Tx], Awaitable[bool]] | None
) -> bool:
    for _ in range(TRIES):
        async with database.snapshot() as tx:
            asked_at = (await tx.execute(select(db_now()))).scalar_one()
        facts = await gateway.facts(subject)
        try:
            async with database.transaction() as tx:
                if also is None or await also(tx):
                    await apply(tx, gateway.id, facts, asked_at)
        except Outdated:
            continue
        except Exception:
            if len(facts) > 1:
                await _book_each(database, gateway.id, facts, asked_at)
            raise
        return bool(facts)
    raise GatewayFailed


async def _book_each(database: Database, gateway: str, facts: Sequence[Fact], asked_at: datetime) -> None:
    """Book each fact in a transaction of its own, in their order; log what cannot be booked."""
    for fact in facts:
        try:
            async with database.transaction() as tx:
                await apply(tx, gateway, [fact], asked_at)
        except Outdated:
            continue  # something newer was booked meanwhile
        except Exception:
            log.exception("fact_not_booked", gateway=gateway, fact=type(fact).__name__)
