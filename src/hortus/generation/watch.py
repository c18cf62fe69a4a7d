"""Notice that somebody stopped or ended what this process works on: one listener and one look for all of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog

from hortus.core.background import alongside
from hortus.core.db import Database
from hortus.core.events import Bus
from hortus.generation import running
from hortus.generation.ending import CANCELLED

log = structlog.get_logger()
LOOK_SECONDS = 2.0
"""How often the database is asked: a cancellation may go untold, its news only makes it quicker."""


class Watch:
    """What this process works on. `follow` must run meanwhile."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._over: dict[str, asyncio.Future[None]] = {}

    @contextmanager
    def over(self, generation_id: str) -> Iterator[asyncio.Future[None]]:
        """A future that is done once the generation is to be stopped although the block still works on it."""
        ended = self._over[generation_id] = asyncio.get_running_loop().create_future()
        try:
            yield ended
        finally:
            ended.cancel()
            if self._over.get(generation_id) is ended:
                del self._over[generation_id]

    def stop(self, generation_id: str) -> bool:
        """Stop the work of this process on a generation; False where it does none."""
        ended = self._over.get(generation_id)
        if ended is not None and not ended.done():
            ended.set_result(None)
        return ended is not None

    async def follow(self) -> None:
        """Listen and look, for ever."""
        looked = time.monotonic()
        async for event in self._bus.listen(CANCELLED, wait=LOOK_SECONDS):
            told = [] if event is None else [event.data.get("generation_id")]
            if time.monotonic() - looked >= LOOK_SECONDS:
                looked, told = time.monotonic(), list(self._over)
            wanted = [each for each in told if each in self._over]
            if wanted:
                try:
                    await self._look(wanted)
                except Exception:  # the database is away: the next look is soon
                    log.exception("watch_failed")

    async def _look(self, generation_ids: Collection[str]) -> None:
        async with self._database.snapshot() as tx:
            gone = await running.to_stop(tx, generation_ids)
        for generation_id in gone:
            self.stop(generation_id)


@asynccontextmanager
async def watching(database: Database, bus: Bus) -> AsyncIterator[Watch]:
    """A watch that follows until the end of the block."""
    watch = Watch(database, bus)
    async with alongside(watch.follow()):
        yield watch
