"""Stop generations at their owner's wish, and settle what was delivered before.

A queued one, and one that is not charged by usage, ends at once and costs nothing. Running text is ended by the
process that works on it, which alone knows what was delivered: it is asked to in the row, and notices within seconds.
"""

import asyncio
from collections.abc import Collection

from sqlalchemy import func, select, update

from hortus.core import clock
from hortus.core.db import Database, Tx
from hortus.core.events import Bus
from hortus.core.resources import Resources
from hortus.core.rowset import among
from hortus.generation import service
from hortus.generation.ending import CANCELLED, Outcome, end, end_many
from hortus.generation.errors import AlreadyEnded
from hortus.generation.tables import BY_USAGE, LIVE, Generation

SETTLES_WITHIN = 10.0
"""Seconds. A process that does not settle in this time is taken for dead, and what it did is lost: it costs nothing."""
_FIRST_LOOK, _LONGEST_LOOK = 0.02, 0.25


async def request_stop(tx: Tx, bus: Bus, generation_ids: Collection[str]) -> set[str]:
    """Stop each of these: at once, or by whoever works on it. Those that had not ended before."""
    query = select(Generation.id, Generation.kind, Generation.status).where(
        among(Generation.id, generation_ids), Generation.status.in_(LIVE)
    )
    live = (await tx.execute(query.order_by(Generation.id).with_for_update())).all()
    asked = [row.id for row in live if row.status == "running" and row.kind in BY_USAGE]
    now = [row.id for row in live if row.id not in asked]
    await end_many(tx, bus, dict.fromkeys(now, Outcome("cancelled")))
    if asked:
        marked = update(Generation).where(among(Generation.id, asked))
        first = func.coalesce(Generation.stop_requested_at, clock.now())
        await tx.execute(marked.values(stop_requested_at=first).execution_options(synchronize_session=False))
        tx.after_commit(lambda: _publish(bus, asked))
    return {row.id for row in live}


async def stop_all(tx: Tx, bus: Bus, user_id: str) -> None:
    """Stop whatever still runs for a user, as if they had stopped each."""
    query = select(Generation.id).where(Generation.user_id == user_id, Generation.status.in_(LIVE))
    await request_stop(tx, bus, list((await tx.execute(query)).scalars()))


async def stop(resources: Resources, user_id: str, generation_id: str) -> Generation:
    """Stop a generation of the user and wait for its end; the ended generation. Opens transactions of its own.

    Raises GenerationNotFound, and AlreadyEnded where it had ended, or ended otherwise at the same moment.
    """
    database, bus = resources.get(Database), resources.get(Bus)

    async def request(tx: Tx) -> None:
        found = await service.find(tx, user_id, generation_id)
        if not await request_stop(tx, bus, [generation_id]):
            raise AlreadyEnded(status_now=found.status)

    await database.repeat(request)
    found = await _ended(database, user_id, generation_id)
    if found is None:
        await database.repeat(lambda tx: end(tx, bus, generation_id, Outcome("cancelled")))
        async with database.snapshot() as tx:
            found = await service.find(tx, user_id, generation_id)
    if found.status != "cancelled":
        raise AlreadyEnded(status_now=found.status)
    return found


async def _ended(database: Database, user_id: str, generation_id: str) -> Generation | None:
    loop = asyncio.get_running_loop()
    wait, ends = _FIRST_LOOK, loop.time() + SETTLES_WITHIN
    while loop.time() < ends:
        async with database.snapshot() as tx:
            found = await service.find(tx, user_id, generation_id)
        if found.status not in LIVE:
            return found
        await asyncio.sleep(wait)
        wait = min(wait * 2, _LONGEST_LOOK)
    return None


def _publish(bus: Bus, generation_ids: Collection[str]) -> None:
    for generation_id in generation_ids:
        bus.publish(CANCELLED, "stop", {"generation_id": generation_id})
