"""Disable and enable offers, by administrators and by refused keys; every process follows within seconds."""

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
from hortus.routing.breaker import OfferHealth
from hortus.routing.catalog import Catalog
from hortus.routing.tables import DisabledOffer, KeyRefusal

log = structlog.get_logger()
POLL_SECONDS = 5.0
"""Seconds after which a change counts in every process at the latest; where it was made it counts at once."""


CHECK_INTERVAL = timedelta(seconds=60)
CHECK_TIMEOUT = 20.0
"""How long one vendor may take to answer."""
RETRY_UNCHECKED_AFTER = timedelta(minutes=5)


class OfferNotFound(NotFound):
    """The catalogue has no such offer."""

    code = "offer_not_found"
    detail = "The catalogue has no offer of that provider and model; GET /api/admin/models lists them."


class AlreadyInThatState(Conflict):
    """The offer is disabled, or enabled, already."""

    code, title = "already_switched", "The offer is in that state already"
    detail = "The offer is in that state already; read it again."


async def disable_offer(tx: Tx, catalog: Catalog, health: OfferHealth, provider: str, model: str) -> None:
    """Offer it no more; results of jobs that its vendor has started are still fetched.

    Raises OfferNotFound, AlreadyInThatState.
    """
    if not any((offer.provider, offer.model) == (provider, model) for each in catalog.models for offer in each.offer):
        raise OfferNotFound
    added = tx.insert(DisabledOffer).values(provider=provider, model=model, since=clock.now())
    if (await tx.execute(added.on_conflict_do_nothing().returning(DisabledOffer.provider))).first() is None:
        raise AlreadyInThatState
    await _apply_after_commit(tx, health)


async def enable_offer(tx: Tx, health: OfferHealth, provider: str, model: str) -> None:
    """Offer it again, also where the catalogue has it no more. Raises AlreadyInThatState."""
    gone = (
        delete(DisabledOffer)
        .where(DisabledOffer.provider == provider, DisabledOffer.model == model)
        .returning(DisabledOffer.provider)
    )
    if (await tx.execute(gone)).first() is None:
        raise AlreadyInThatState
    await _apply_after_commit(tx, health)


async def _apply_after_commit(tx: Tx, health: OfferHealth) -> None:
    disabled = await disabled_offers(tx)
    tx.after_commit(lambda: health.set_disabled(disabled))


async def disabled_offers(tx: Tx) -> frozenset[tuple[str, str]]:
    """(provider, model) of every disabled offer."""
    return frozenset(
        (row[0], row[1]) for row in (await tx.execute(select(DisabledOffer.provider, DisabledOffer.model))).all()
    )


@asynccontextmanager
async def follow_toggles(
    database: Database, health: OfferHealth, registry: Registry, every: float = POLL_SECONDS
) -> AsyncIterator[None]:
    """Read the disabled offers now, and again every few seconds until the end of the block.

    Vendors of `registry` that refused the key are checked again each minute.
    """
    await _read(database, health)
    async with alongside(_poll(database, health, registry, every)):
        yield


async def key_refusals(tx: Tx) -> dict[str, datetime]:
    """The providers whose vendor refuses the key, and since when."""
    return {row[0]: row[1] for row in (await tx.execute(select(KeyRefusal.provider, KeyRefusal.since))).all()}


async def delete_refusal(tx: Tx, provider: str) -> None:
    """The vendor accepts the key again: its offers count again."""
    await tx.execute(delete(KeyRefusal).where(KeyRefusal.provider == provider))


async def _read(database: Database, health: OfferHealth) -> None:
    async with database.snapshot() as tx:
        health.set_disabled(await disabled_offers(tx))
        health.set_refusals(frozenset(await key_refusals(tx)))


async def _store_refusals(database: Database, health: OfferHealth) -> None:
    """Store the keys that were refused in this process, for all of them."""
    refused, now = health.pop_newly_refused(), clock.now()
    if refused:
        async with database.transaction() as tx:
            rows = [{"provider": provider, "since": now, "checked_at": now} for provider in sorted(refused)]
            await tx.execute(tx.insert(KeyRefusal).on_conflict_do_nothing(), rows)


async def _check_refused(database: Database, registry: Registry) -> None:
    """Check again the keys that were refused, each once a minute over all processes.

    A vendor without a free check is tried with the next request after five minutes.
    """
    now = clock.now()
    async with database.snapshot() as tx:
        due = select(KeyRefusal.provider).where(KeyRefusal.checked_at < now - CHECK_INTERVAL)
        providers = (await tx.execute(due)).scalars().all()
    for name in providers:
        claim = update(KeyRefusal).where(KeyRefusal.provider == name, KeyRefusal.checked_at < now - CHECK_INTERVAL)
        async with database.transaction() as tx:
            claimed = await tx.execute(claim.values(checked_at=now).returning(KeyRefusal.since))
            row = claimed.first()
        if row is None:
            continue
        provider = registry.get(name)
        if isinstance(provider, Checkable):
            accepted = await _accepts(provider)
        else:
            accepted = row.since < now - RETRY_UNCHECKED_AFTER
        if accepted:
            async with database.transaction() as tx:
                await delete_refusal(tx, name)
            log.info("provider_key_accepted", provider=name)


async def _accepts(provider: Checkable) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            await provider.check()
    except (ProviderError, TimeoutError):
        return False
    return True


async def _poll(database: Database, health: OfferHealth, registry: Registry, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        try:
            await _store_refusals(database, health)
            await _check_refused(database, registry)
            await _read(database, health)
        except Exception:  # the database is unavailable: the last state stays
            log.warning("offer_toggles_unreadable", exc_info=True)
