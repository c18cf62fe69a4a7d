"""The engine in the server's own process: claims rows, keeps their leases, runs them on the event loop."""

import asyncio
import contextlib
import contextvars
import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

import structlog

from hortus.core import ids
from hortus.core.db import Database
from hortus.core.resources import Resources
from hortus.tasks import queue
from hortus.tasks.kinds import QUEUES, Claimed, LeaseLost, registry
from hortus.tasks.run import run_one

log = structlog.get_logger()
ROOM: Mapping[str, int] = {"interactive": 16, "media": 2, "mail": 2, "maintenance": 1}
"""How many tasks of each queue run at once."""


class EmbeddedEngine:
    """Start it once the database is migrated; stop it before the database closes. Seconds throughout."""

    def __init__(
        self,
        resources: Resources,
        *,
        room: Mapping[str, int] = ROOM,
        lease: float = 30.0,
        poll: float = 1.0,
        schedule: bool = True,
    ) -> None:
        self.worker = f"{socket.gethostname()[:30]}:{os.getpid()}:{ids.new()[-6:]}"
        self.lease = lease
        self._resources = resources
        self._database = resources.get(Database)
        self._room: dict[str, int] = {name: room[name] for name in QUEUES if room.get(name)}
        self._poll = poll
        self._schedule = schedule
        self._running: dict[Claimed, asyncio.Task[None]] = {}
        self._queue_of: dict[Claimed, str] = {}
        self._loops: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()
        self._stopping = False

    async def start(self) -> None:
        """Begin to claim tasks and to keep leases."""
        queue.listen(self._ring)
        loops = [self._claim_loop(), self._heartbeat_loop()]
        if self._schedule:
            loops.append(self._schedule_loop())
        # An empty context: the loops belong to no request.
        self._loops = [contextvars.Context().run(asyncio.create_task, loop) for loop in loops]

    async def stop(self, grace: float = 10.0) -> None:
        """Claim no more, wait up to `grace` seconds for what runs, hand the rest back at once."""
        self._stopping = True
        queue.unlisten(self._ring)
        for loop in self._loops:
            if loop is not self._loops[1]:
                loop.cancel()
        if self._running:
            await asyncio.wait(tuple(self._running.values()), timeout=grace)
        left = dict(self._running)
        for running in left.values():
            running.cancel()
        if left:
            await asyncio.wait(tuple(left.values()))
        for task in left:
            with contextlib.suppress(LeaseLost):
                async with self._database.transaction() as tx:
                    await queue.put_back(tx, task, error="handed back at shutdown", delay=0, counted=False)
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)

    @asynccontextmanager
    async def holding(self, task: Claimed) -> AsyncIterator[None]:
        """Keep the lease of a task that the caller runs itself; the body is cancelled when it is lost."""
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
                current.uncancel()  # the heartbeat's doing, answered here; timeouts further out must not see it
                raise LeaseLost(task.name) from None
            raise
        finally:
            if not lost:
                self._running.pop(task, None)

    async def idle(self, timeout: float = 30.0) -> None:
        """Wait until nothing is due and nothing runs here; TimeoutError otherwise."""
        async with asyncio.timeout(timeout):
            while True:
                if not self._running:
                    async with self._database.snapshot() as tx:
                        if not await queue.anything_due(tx, list(self._room)):
                            return
                await asyncio.sleep(0.02)

    def _ring(self, _queue: str, _ids: Sequence[str]) -> None:
        self._wake.set()

    async def _claim_loop(self) -> None:
        while not self._stopping:
            self._wake.clear()
            claimed = 0
            try:
                claimed = await self._claim()
            except Exception:
                log.exception("claim_failed")
                await asyncio.sleep(self._poll)
            if not claimed:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._poll):
                        await self._wake.wait()

    async def _claim(self) -> int:
        free = {name: room - sum(q == name for q in self._queue_of.values()) for name, room in self._room.items()}
        wanting = [name for name, room in free.items() if room > 0]
        if not wanting:
            return 0
        async with self._database.snapshot() as tx:
            if not await queue.anything_due(tx, wanting):
                return 0
        claimed: list[tuple[str, Claimed]] = []
        async with self._database.transaction() as tx:
            for name in wanting:
                found = await queue.claim(tx, name, free[name], worker=self.worker, lease=self.lease)
                claimed += [(name, task) for task in found]
        for name, task in claimed:
            self._queue_of[task] = name
            running = asyncio.create_task(run_one(self._resources, task))
            self._running[task] = running
            running.add_done_callback(partial(self._ended, task))
        return len(claimed)

    def _ended(self, task: Claimed, done: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._queue_of.pop(task, None)
        self._wake.set()
        if not done.cancelled() and (error := done.exception()) is not None:
            log.error("task_runner_failed", task=task.name, error=repr(error))

    async def _heartbeat_loop(self) -> None:
        while True:
            await asyncio.sleep(self.lease / 3)
            held = list(self._running)
            if not held:
                continue
            try:
                async with self._database.transaction() as tx:
                    kept = await queue.renew(tx, held, self.lease)
                    ended = {task.id for task in held if task.id not in kept}
                    gone = [task for task in held if task.id in ended and not await queue.ended_well(tx, task)]
            except Exception:
                log.exception("heartbeat_failed")
                continue
            for task in gone:
                running = self._running.pop(task, None)
                if running is not None:
                    log.warning("lease_lost", task=task.name, id=task.id)
                    running.cancel()

    async def _schedule_loop(self) -> None:
        while True:
            periodic = list(registry.periodic.values())
            try:
                async with self._database.snapshot() as tx:
                    due = bool(periodic) and await queue.schedule_is_due(tx, periodic)
                if due:
                    async with self._database.transaction() as tx:
                        await queue.enqueue_due(tx, periodic)
            except Exception:
                log.exception("schedule_failed")
            await asyncio.sleep(self._poll * 5)
