"""The leases of one process: renewed while their tasks run, released when it stops."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial

import structlog

from hortus.core import ids
from hortus.core.background import cancel_and_wait, in_background
from hortus.core.db import Database
from hortus.core.resources import Resources
from hortus.tasks import heartbeats, queue
from hortus.tasks.registry import ClaimedTask, LeaseLost
from hortus.tasks.run import run_one

log = structlog.get_logger()


class Leases:
    """Renews the leases of this process three times per lease of `seconds`; cancels tasks whose lease was lost.

    With a `kind` of process it also sends heartbeats, with its `slots` by queue and its `settings`.
    """

    def __init__(
        self,
        database: Database,
        seconds: float,
        *,
        kind: str | None = None,
        slots: Mapping[str, int] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.worker = f"{socket.gethostname()[:30]}:{os.getpid()}:{ids.new()[-6:]}"
        self.seconds = seconds
        self._database = database
        self._kind, self._slots, self._settings = kind, dict(slots or {}), dict(settings or {})
        self._running: dict[ClaimedTask, asyncio.Task[None]] = {}
        self._heartbeat: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the heartbeat."""
        await self._beat()
        self._heartbeat = in_background(self._heartbeat_loop())

    async def stop(self, grace: float) -> None:
        """Wait up to `grace` seconds for running tasks, then cancel and release them."""
        if self._running:
            await asyncio.wait(tuple(self._running.values()), timeout=grace)
        left = dict(self._running)
        for running in left.values():
            running.cancel()
        if left:
            await asyncio.wait(tuple(left.values()))
        for task in left:
            await self.release(task)
        await cancel_and_wait(self._heartbeat)
        if self._kind is not None:
            async with self._database.transaction() as tx:
                await heartbeats.remove(tx, self.worker)

    async def release(self, task: ClaimedTask) -> None:
        """Queue the task again at once, without counting the attempt."""
        with contextlib.suppress(LeaseLost):
            async with self._database.transaction() as tx:
                await queue.reschedule(tx, task, error="handed back at shutdown", delay=0, counted=False)

    @property
    def busy(self) -> bool:
        """Whether a task runs under a lease of this process."""
        return bool(self._running)

    def run(self, resources: Resources, task: ClaimedTask, ended: Callable[[ClaimedTask], None]) -> asyncio.Task[None]:
        """Run a claimed task in an asyncio task of its own, under its lease; `ended(task)` is called afterwards."""
        running = in_background(run_one(resources, task))
        self._running[task] = running
        running.add_done_callback(partial(self._ended, task, ended))
        return running

    def _ended(self, task: ClaimedTask, ended: Callable[[ClaimedTask], None], done: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        ended(task)
        if not done.cancelled() and (error := done.exception()) is not None:
            log.error("task_runner_failed", task=task.name, error=repr(error))

    @asynccontextmanager
    async def holding(self, task: ClaimedTask) -> AsyncIterator[None]:
        """Renew the lease of a task that the caller runs itself; the body is cancelled if the lease is lost."""
        current = asyncio.current_task()
        if current is None:
            raise RuntimeError("only a running task can hold a lease")
        self._running[task] = current
        lost = False
        try:
            yield
        except asyncio.CancelledError:
            lost = self._running.get(task) is not current
            if lost:
                current.uncancel()  # the heartbeat cancelled it; an enclosing timeout must not see that
                raise LeaseLost(task.name) from None
            raise
        finally:
            if not lost:
                self._running.pop(task, None)

    async def _heartbeat_loop(self) -> None:
        while True:
            await asyncio.sleep(self.seconds / 3)
            try:
                await self._beat()
                await self._renew()
            except Exception:
                log.exception("heartbeat_failed")

    async def _beat(self) -> None:
        if self._kind is not None:
            async with self._database.transaction() as tx:
                await heartbeats.beat(tx, self.worker, self._kind, self._slots, len(self._running), self._settings)

    async def _renew(self) -> None:
        held = list(self._running)
        if not held:
            return
        async with self._database.transaction() as tx:
            kept = await queue.renew(tx, held, self.seconds)
            ended = {task.id for task in held if task.id not in kept}
            gone = [task for task in held if task.id in ended and not await queue.was_closed(tx, task)]
        for task in gone:
            running = self._running.pop(task, None)
            if running is not None:
                log.warning("lease_lost", task=task.name, id=task.id)
                running.cancel()
