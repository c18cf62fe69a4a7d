"""The row of a generation while it is worked on: taken up, noted, and left alone once it has ended."""

from collections.abc import Collection, Sequence

from sqlalchemy import func, select, update

from hortus.core import clock
from hortus.core.batch import Batch
from hortus.core.db import Database, Tx
from hortus.core.rowset import among
from hortus.generation.tables import LIVE, Generation


class TakeUp(Batch[str, Generation | None]):
    """`await take_up(id)` gives a generation that has not ended, whoever's it is: it is running from now on.

    Those that are taken up together share one transaction.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database, take_up_many)


async def take_up_many(tx: Tx, generation_ids: Sequence[str]) -> list[Generation | None]:
    """Mark those as running that have not ended; None in the place of the others."""
    statement = (
        update(Generation)
        .where(among(Generation.id, generation_ids), Generation.status.in_(LIVE))
        .values(status="running", started_at=func.coalesce(Generation.started_at, clock.now()))
        .returning(Generation)
    )
    found = {generation.id: generation for generation in (await tx.execute(statement)).scalars()}
    return [found.get(generation_id) for generation_id in generation_ids]


async def mark_running(tx: Tx, generation_ids: Sequence[str]) -> None:
    """Mark queued generations as running."""
    if generation_ids:
        queued = update(Generation).where(among(Generation.id, generation_ids), Generation.status == "queued")
        await tx.execute(queued.values(status="running", started_at=clock.now()))


async def find_live(tx: Tx, generation_id: str) -> Generation | None:
    """A generation that has not ended, whoever's it is."""
    query = select(Generation).where(Generation.id == generation_id, Generation.status.in_(LIVE))
    return (await tx.execute(query)).scalar_one_or_none()


async def status_of(tx: Tx, generation_id: str) -> str | None:
    """The status alone, as cheaply as possible."""
    return (await tx.execute(select(Generation.status).where(Generation.id == generation_id))).scalar_one_or_none()


async def to_stop(tx: Tx, generation_ids: Collection[str]) -> set[str]:
    """Those of them that nobody should work on any more: ended, gone, or asked to stop by their owner."""
    wanted = select(Generation.id).where(
        among(Generation.id, generation_ids), Generation.status.in_(LIVE), Generation.stop_requested_at.is_(None)
    )
    return set(generation_ids) - set((await tx.execute(wanted)).scalars())


async def note_progress(tx: Tx, generation_id: str, percent: int) -> None:
    """Show how far along; never goes back, never touches an ended generation."""
    await tx.execute(
        update(Generation)
        .where(Generation.id == generation_id, Generation.status == "running", Generation.progress < percent)
        .values(progress=percent)
    )


async def note_job(tx: Tx, generation_id: str, provider: str, model: str, handle: str) -> None:
    """Remember a bought vendor job."""
    await tx.execute(
        update(Generation)
        .where(Generation.id == generation_id)
        .values(job_provider=provider, job_model=model, job_handle=handle)
    )
