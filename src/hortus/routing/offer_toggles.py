"""Switch offers off and on, and take off what a vendor refuses our key for; every process follows within seconds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, select, update

from hortus.core import clock
from hortus.core.background import alongside
from hortus.core.db import Database, Tx
from hortus.core.errors import Conflict, NotFound
from hortus.providers import Checkable, ProviderError, Registry
from hortus.routing.breaker import Health
from hortus.routing.catalog import Catalog
from hortus.routing.tables import KeyRefusal, OfferOff

log = structlog.get_logger()
LOOK_EVERY = 5.0
"""Seconds after which a switch counts in every process at the latest; in the one that switched it counts at once."""


CHECK_EVERY = timedelta(seconds=60)
CHECK_SECONDS = 20.0
"""How long one vendor may take to answer."""
WITHOUT_CHECK = timedelta(minutes=5)


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
async def following(
    database: Database, health: Health, registry: Registry, every: float = LOOK_EVERY
) -> AsyncIterator[None]:
    """Know the switches from the start of the block, and follow what other processes switch until its end.

    The vendors of `registry` that refused the key are asked again each minute.
    """
    await _look(database, health)
    async with alongside(_keep_looking(database, health, registry, every)):
        yield


async def key_refusals(tx: Tx) -> dict[str, datetime]:
    """The providers whose vendor refuses our key, and since when."""
    return {row[0]: row[1] for row in (await tx.execute(select(KeyRefusal.provider, KeyRefusal.since))).all()}


async def forget_refusal(tx: Tx, provider: str) -> None:
    """The vendor accepts the key again: sell its offers."""
    await tx.execute(delete(KeyRefusal).where(KeyRefusal.provider == provider))


async def _look(database: Database, health: Health) -> None:
    async with database.snapshot() as tx:
        health.switch(await offers_off(tx))
        health.follow_refusals(frozenset(await key_refusals(tx)))


async def _tell_refusals(database: Database, health: Health) -> None:
    """Let every process know what was refused here."""
    refused, now = health.take_newly_refused(), clock.now()
    if refused:
        async with database.transaction() as tx:
            rows = [{"provider": provider, "since": now, "checked_at": now} for provider in sorted(refused)]
            await tx.execute(tx.insert(KeyRefusal).on_conflict_do_nothing(), rows)


async def _check_refused(database: Database, registry: Registry) -> None:
    """Ask the vendors again that refused the key, each once a minute over all processes.

    One that cannot be asked without paid work is given another try with the next work after five minutes.
    """
    now = clock.now()
    async with database.snapshot() as tx:
        due = select(KeyRefusal.provider).where(KeyRefusal.checked_at < now - CHECK_EVERY)
        providers = (await tx.execute(due)).scalars().all()
    for name in providers:
        claim = update(KeyRefusal).where(KeyRefusal.provider == name, KeyRefusal.checked_at < now - CHECK_EVERY)
        async with database.transaction() as tx:
            claimed = await tx.execute(claim.values(checked_at=now).returning(KeyRefusal.since))
            row = claimed.first()
        if row is None:
            continue
        provider = registry.get(name)
        if isinstance(provider, Checkable):
            accepted = await _accepts(provider)
        else:
            accepted = row.since < now - WITHOUT_CHECK
        if accepted:
            async with database.transaction() as tx:
                await forget_refusal(tx, name)
            log.info("provider_key_accepted", provider=name)


async def _accepts(provider: Checkable) -> bool:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await provider.check()
    except (ProviderError, TimeoutError):
        return False
    return True


async def _keep_looking(database: Database, health: Health, registry: Registry, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        try:
            await _tell_refusals(database, health)
            await _check_refused(database, registry)
            await _look(database, health)
        except Exception:  # the database is away: what was known stays
            log.warning("switches_not_read", exc_info=True)
