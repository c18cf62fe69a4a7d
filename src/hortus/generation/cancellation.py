"""Cancel generations: on request of their owner, and in the process that runs them.

A queued generation, and one that is not charged by usage, ends at once and costs nothing. Running text is ended by the
process that runs it, which alone knows what was delivered: `stop_requested_at` is set in the row, and its
CancellationWatcher notices within seconds.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog
from sqlalchemy import func, select, update

from hortus.core import clock
from hortus.core.background import alongside
from hortus.core.db import Database, Tx
from hortus.core.db.bulk import in_json
from hortus.core.events import Bus
from hortus.core.resources import Resources
from hortus.generation import service, transitions
from hortus.generation.errors import AlreadyEnded
from hortus.generation.tables import BY_USAGE, LIVE, Generation
from hortus.generation.transitions import CANCELLED, Outcome, end, end_many

log = structlog.get_logger()
POLL_SECONDS = 2.0
"""How often the watcher reads the database: events may be lost, they only make it quicker."""
SETTLES_WITHIN = 10.0
"""Seconds. A process that does not settle in this time counts as dead: its work is lost and costs nothing."""
_FIRST_WAIT, _LONGEST_WAIT = 0.02, 0.25


# Request ---------------------------------------------------------------------


async def request_stop(tx: Tx, bus: Bus, generation_ids: Collection[str]) -> set[str]:
    """Stop each of these, at once or in the process that runs it. The ids of those that had not ended before."""
    query = select(Generation.id, Generation.kind, Generation.status).where(
        in_json(Generation.id, generation_ids), Generation.status.in_(LIVE)
    )
    live = (await tx.execute(query.order_by(Generation.id).with_for_update())).all()
    elsewhere = [row.id for row in live if row.status == "running" and row.kind in BY_USAGE]
    now = [row.id for row in live if row.id not in elsewhere]
    await end_many(tx, bus, dict.fromkeys(now, Outcome("cancelled")))
    if elsewhere:
        marked = update(Generation).where(in_json(Generation.id, elsewhere))
        first = func.coalesce(Generation.stop_requested_at, clock.now())
        await tx.execute(marked.values(stop_requested_at=first).execution_options(synchronize_session=False))
        tx.after_commit(lambda: _publish(bus, elsewhere))
    return {row.id for row in live}


def _publish(bus: Bus, generation_ids: Collection[str]) -> None:
    for generation_id in generation_ids:
        bus.publish(CANCELLED, "stop", {"generation_id": generation_id})


async def stop_all(tx: Tx, bus: Bus, user_id: str) -> None:
    """Stop every live generation of a user, as if they had stopped each."""
    query = select(Generation.id).where(Generation.user_id == user_id, Generation.status.in_(LIVE))
    await request_stop(tx, bus, list((await tx.execute(query)).scalars()))


async def cancel_all(tx: Tx, bus: Bus, user_id: str) -> int:
    """End every live generation of a user whose account is erased, at once and free of charge; how many those were."""
    query = select(Generation.id).where(Generation.user_id == user_id, Generation.status.in_(LIVE))
    running = list((await tx.execute(query.order_by(Generation.id))).scalars())
    return len(await end_many(tx, bus, dict.fromkeys(running, Outcome("cancelled"))))


async def stop(resources: Resources, user_id: str, generation_id: str) -> Generation:
    """Stop a generation of the user and wait for its end; the ended generation. Opens transactions of its own.

    Raises GenerationNotFound, and AlreadyEnded where it had ended, or ended otherwise at the same moment.
    """
    database, bus = resources[Database], resources[Bus]

    async def request(tx: Tx) -> None:
        found = await service.find(tx, user_id, generation_id)
        if not await request_stop(tx, bus, [generation_id]):
            raise AlreadyEnded(status_now=found.status)

    await database.retry(request)
    found = await _wait_ended(database, user_id, generation_id)
    if found is None:
        await database.retry(lambda tx: end(tx, bus, generation_id, Outcome("cancelled")))
        async with database.snapshot() as tx:
            found = await service.find(tx, user_id, generation_id)
    if found.status != "cancelled":
        raise AlreadyEnded(status_now=found.status)
    return found


async def _wait_ended(database: Database, user_id: str, generation_id: str) -> Generation | None:
    """The ended generation; None where it is still live after SETTLES_WITHIN."""
    loop = asyncio.get_running_loop()
    wait, ends = _FIRST_WAIT, loop.time() + SETTLES_WITHIN
    while loop.time() < ends:
        async with database.snapshot() as tx:
            found = await service.find(tx, user_id, generation_id)
        if found.status not in LIVE:
            return found
        await asyncio.sleep(wait)
        wait = min(wait * 2, _LONGEST_WAIT)
    return None


# Notice ----------------------------------------------------------------------


class CancellationWatcher:
    """Notices, for all generations that this process runs, that one was stopped or ended elsewhere.

    One subscription and one query serve them all. `watch` must run meanwhile.
    """

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._running: dict[str, asyncio.Future[None]] = {}

    @contextmanager
    def cancelled(self, generation_id: str) -> Iterator[asyncio.Future[None]]:
        """A future that is done once the generation is to be stopped while the block runs it."""
        cancelled = self._running[generation_id] = asyncio.get_running_loop().create_future()
        try:
            yield cancelled
        finally:
            cancelled.cancel()
            if self._running.get(generation_id) is cancelled:
                del self._running[generation_id]

    def stop(self, generation_id: str) -> bool:
        """Stop a generation that this process runs; False where it does not."""
        cancelled = self._running.get(generation_id)
        if cancelled is not None and not cancelled.done():
            cancelled.set_result(None)
        return cancelled is not None

    async def watch(self) -> None:
        """Read cancellations from the bus, and from the database every POLL_SECONDS, until cancelled."""
        polled = time.monotonic()
        async for event in self._bus.subscribe(CANCELLED, wait=POLL_SECONDS):
            candidates = [] if event is None else [event.data.get("generation_id")]
            if time.monotonic() - polled >= POLL_SECONDS:
                polled, candidates = time.monotonic(), list(self._running)
            running = [each for each in candidates if each in self._running]
            if running:
                try:
                    await self._check(running)
                except Exception:  # the database is unavailable: the next poll is soon
                    log.exception("cancellation_watch_failed")

    async def _check(self, generation_ids: Collection[str]) -> None:
        async with self._database.snapshot() as tx:
            unwanted = await transitions.no_longer_wanted(tx, generation_ids)
        for generation_id in unwanted:
            self.stop(generation_id)


@asynccontextmanager
async def watch_cancellations(database: Database, bus: Bus) -> AsyncIterator[CancellationWatcher]:
    """A watcher that watches until the end of the block."""
    watcher = CancellationWatcher(database, bus)
    async with alongside(watcher.watch()):
        yield watcher
