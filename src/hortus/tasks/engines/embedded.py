"""The task engine inside the server process: claims rows, renews their leases, runs them on the event loop."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager

import structlog

from hortus.core.background import cancel_and_wait, in_background
from hortus.core.db import Database
from hortus.core.resources import Resources
from hortus.tasks import queue
from hortus.tasks.leases import Leases
from hortus.tasks.registry import QUEUES, ClaimedTask, Periodic
from hortus.tasks.scheduler import Scheduler

log = structlog.get_logger()
SLOTS: Mapping[str, int] = {"interactive": 16, "media": 2, "mail": 8, "maintenance": 1}
"""Tasks of each queue that run at once."""


class EmbeddedEngine:
    """Start it once the database is migrated; stop it before the database closes. Seconds throughout.

    Without slots it claims nothing and only renews the leases of tasks that this process runs itself. `periodic` is
    enqueued by its own scheduler. `kind` is listed for a process without slots; `settings` are stored with it.
    """

    def __init__(
        self,
        resources: Resources,
        *,
        slots: Mapping[str, int] = SLOTS,
        lease: float = 30.0,
        poll: float = 1.0,
        periodic: Sequence[Periodic] = (),
        kind: str | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._resources = resources
        self._database = resources[Database]
        self._slots: dict[str, int] = {name: slots[name] for name in QUEUES if slots.get(name)}
        listed_as = "embedded" if self._slots else kind
        self.leases = Leases(self._database, lease, kind=listed_as, slots=self._slots, settings=settings)
        self.worker, self.lease = self.leases.worker, lease
        self._scheduler = Scheduler(self._database, periodic, poll=poll * 5) if periodic else None
        self._poll = poll
        self._queue_of: dict[ClaimedTask, str] = {}
        self._claims: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._stopping = False

    async def start(self) -> None:
        """Start to claim tasks and to renew leases."""
        queue.subscribe(self._notify)
        await self.leases.start()
        if self._slots:
            self._claims = in_background(self._claim_loop())
        if self._scheduler is not None:
            await self._scheduler.start()

    async def stop(self, grace: float = 10.0) -> None:
        """Stop claiming, wait up to `grace` seconds for running tasks, then release the rest."""
        self._stopping = True
        queue.unsubscribe(self._notify)
        if self._scheduler is not None:
            await self._scheduler.stop()
        if self._claims is not None:
            self._wake.set()
            await asyncio.wait((self._claims,), timeout=5)  # a claim must not be cancelled before its commit
            await cancel_and_wait(self._claims)
        await self.leases.stop(grace)

    def holding(self, task: ClaimedTask) -> AbstractAsyncContextManager[None]:
        """Renew the lease of a task that the caller runs itself; the body is cancelled if the lease is lost."""
        return self.leases.holding(task)

    async def idle(self, timeout: float = 30.0) -> None:
        """Wait until no task is due and none runs here; TimeoutError otherwise."""
        async with asyncio.timeout(timeout):
            while True:
                if not self.leases.busy and not await queue.anything_due(self._database, list(self._slots)):
                    return
                await asyncio.sleep(0.02)

    def _notify(self, _queue: str, _ids: Sequence[str]) -> None:
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
        free = {name: slots - sum(q == name for q in self._queue_of.values()) for name, slots in self._slots.items()}
        wanting = [name for name, slots in free.items() if slots > 0]
        if not wanting:
            return 0
        if not await queue.anything_due(self._database, wanting):
            return 0
        claimed: list[tuple[str, ClaimedTask]] = []
        async with self._database.transaction() as tx:
            for name in wanting:
                found = await queue.claim(tx, name, free[name], worker=self.worker, lease=self.lease)
                claimed += [(name, task) for task in found]
        for name, task in claimed:
            self._queue_of[task] = name
            self.leases.run(self._resources, task, self._ended)
        return len(claimed)

    def _ended(self, task: ClaimedTask) -> None:
        self._queue_of.pop(task, None)
        self._wake.set()
