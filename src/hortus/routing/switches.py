"""Switch offers off and on; every process follows within seconds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from sqlalchemy import delete, select

from hortus.core import clock
from hortus.core.background import alongside
from hortus.core.db import Database, Tx
from hortus.core.errors import Conflict, NotFound
from hortus.routing.catalog import Catalog
from hortus.routing.health import Health
from hortus.routing.tables import OfferOff

log = structlog.get_logger()
LOOK_EVERY = 5.0
"""Seconds after which a switch counts in every process at the latest; in the one that switched it counts at once."""


class OfferNotFound(NotFound):
    """The catalogue has no such offer."""

    code = "offer_not_found"
    detail = "The catalogue has no offer of that provider and model; GET /api/admin/models lists them."


class AlreadySwitched(Conflict):
    """It is off, or on, already."""

    code, title = "already_switched", "It is switched that way already"
    detail = "The offer is in that state already; read it again."


async def switch_off(tx: Tx, catalog: Catalog, health: Health, provider: str, model: str) -> None:
    """Sell an offer no more; jobs that its vendor already does are still fetched.

    Raises OfferNotFound, AlreadySwitched.
    """
    if not any((offer.provider, offer.model) == (provider, model) for each in catalog.models for offer in each.offer):
        raise OfferNotFound
    added = tx.insert(OfferOff).values(provider=provider, model=model, since=clock.now())
    if (await tx.execute(added.on_conflict_do_nothing().returning(OfferOff.provider))).first() is None:
        raise AlreadySwitched
    await _follow(tx, health)


async def switch_on(tx: Tx, health: Health, provider: str, model: str) -> None:
    """Sell an offer again, also one that the catalogue has lost meanwhile. Raises AlreadySwitched."""
    gone = delete(OfferOff).where(OfferOff.provider == provider, OfferOff.model == model).returning(OfferOff.provider)
    if (await tx.execute(gone)).first() is None:
        raise AlreadySwitched
    await _follow(tx, health)


async def _follow(tx: Tx, health: Health) -> None:
    off = await offers_off(tx)
    tx.after_commit(lambda: health.switch(off))


async def offers_off(tx: Tx) -> frozenset[tuple[str, str]]:
    """(provider, model) of every offer that is switched off."""
    return frozenset((row[0], row[1]) for row in (await tx.execute(select(OfferOff.provider, OfferOff.model))).all())


@asynccontextmanager
async def following(database: Database, health: Health, every: float = LOOK_EVERY) -> AsyncIterator[None]:
    """Know the switches from the start of the block, and follow what other processes switch until its end."""
    await _look(database, health)
    async with alongside(_keep_looking(database, health, every)):
        yield


async def _look(database: Database, health: Health) -> None:
    async with database.snapshot() as tx:
        health.switch(await offers_off(tx))


async def _keep_looking(database: Database, health: Health, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        try:
            await _look(database, health)
        except Exception:  # the database is away: what was known stays
            log.warning("switches_not_read", exc_info=True)
