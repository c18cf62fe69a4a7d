"""What is due by the clock: periodic tasks, and tasks that wait though nobody was told of them."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence

import structlog

from hortus.core.background import ended, in_background
from hortus.core.db import Database
from hortus.tasks import queue
from hortus.tasks.kinds import QUEUES, Periodic

log = structlog.get_logger()
SWEEP = "tasks.sweep"
AT_MOST = 32
"""Waiting tasks are counted this far: whoever answers a doorbell goes on while there is more."""

Remind = Callable[[Mapping[str, int]], None]


class Scheduler:
    """Enqueues `periodic` when it is due; looks every `poll` seconds.

    Any number may run: a period, and a sweep, has one winner, in the database.

    `remind(counts)` is told how many tasks of each queue could be claimed now; engines that poll need none.
    """

    def __init__(
        self, database: Database, periodic: Sequence[Periodic], *, poll: float = 1.0, remind: Remind | None = None
    ) -> None:
        self._database = database
        self._periodic = tuple(periodic)
        self._poll = poll
        self._remind = remind
        self._loop: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look."""
        self._loop = in_background(self._run())

    async def stop(self) -> None:
        """Stop looking."""
        await ended(self._loop)

    async def tick(self) -> None:
        """Enqueue what is due, then remind of what waits."""
        periodic = self._periodic
        async with self._database.snapshot() as tx:
            due = bool(periodic) and await queue.schedule_is_due(tx, periodic)
            waiting = await queue.due_counts(tx, QUEUES, AT_MOST) if self._remind is not None else {}
        if due:
            async with self._database.transaction() as tx:
                await queue.enqueue_due(tx, periodic)
        if waiting and self._remind is not None:
            async with self._database.transaction() as tx:
                mine = await queue.move_on(tx, SWEEP, self._poll * 0.8)
            if mine:
                self._remind(waiting)

    async def _run(self) -> None:
        while True:
            try:
                await self.tick()
            except Exception:
                log.exception("schedule_failed")
            await asyncio.sleep(self._poll * random.uniform(0.9, 1.1))  # noqa: S311 - so that rivals drift apart
