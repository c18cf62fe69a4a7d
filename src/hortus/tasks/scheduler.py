"""The scheduler: enqueues periodic tasks, and repeats notifications for tasks that still wait."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence

import structlog

from hortus.core.background import cancel_and_wait, in_background
from hortus.core.db import Database
from hortus.tasks import queue
from hortus.tasks.registry import QUEUES, Periodic

log = structlog.get_logger()
REMIND = "tasks.remind"
MAX_COUNTED = 32
"""Waiting tasks are counted up to this: a notified worker drains its queue anyway."""

Remind = Callable[[Mapping[str, int]], None]


class Scheduler:
    """Enqueues the `periodic` tasks that are due, every `poll` seconds.

    Any number may run: the database lets one of them enqueue each period and send each reminder.

    `remind(counts)` receives the number of tasks of each queue that could be claimed now; polling engines need none.
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
        """Start the loop."""
        self._loop = in_background(self._run())

    async def stop(self) -> None:
        """Stop the loop."""
        await cancel_and_wait(self._loop)

    async def tick(self) -> None:
        """Enqueue periodic tasks that are due, then send reminders for waiting tasks."""
        periodic = self._periodic
        async with self._database.snapshot() as tx:
            due = bool(periodic) and await queue.schedule_is_due(tx, periodic)
            waiting = await queue.due_counts(tx, QUEUES, MAX_COUNTED) if self._remind is not None else {}
        if due:
            async with self._database.transaction() as tx:
                await queue.enqueue_due(tx, periodic)
        if waiting and self._remind is not None:
            async with self._database.transaction() as tx:
                mine = await queue.advance_schedule(tx, REMIND, self._poll * 0.8)
            if mine:
                self._remind(waiting)

    async def _run(self) -> None:
        while True:
            try:
                await self.tick()
            except Exception:
                log.exception("schedule_failed")
            await asyncio.sleep(self._poll * random.uniform(0.9, 1.1))  # noqa: S311 - spreads schedulers
