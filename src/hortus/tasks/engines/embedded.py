"""The engine in the server's own process: claims rows, keeps their leases, runs them on the event loop."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager

import structlog

from hortus.core.background import ended, in_background
from hortus.core.db import Database
from hortus.core.resources import Resources
from hortus.tasks import queue
from hortus.tasks.kinds import QUEUES, Claimed, Periodic
from hortus.tasks.leases import Leases
from hortus.tasks.scheduler import Scheduler

log = structlog.get_logger()
ROOM: Mapping[str, int] = {"interactive": 16, "media": 2, "mail": 8, "maintenance": 1}
"""How many tasks of each queue run at once."""


class EmbeddedEngine:
    """Start it once the database is migrated; stop it before the database closes. Seconds throughout.

    Without any room it claims nothing and only keeps the leases of what this process does itself. `periodic` is
    enqueued by a scheduler of its own. `kind` lists a process that has no room; `settings` are stored with it.
    """

    def __init__(
        self,
        resources: Resources,
        *,
        room: Mapping[str, int] = ROOM,
        lease: float = 30.0,
        poll: float = 1.0,
        periodic: Sequence[Periodic] = (),
        kind: str | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._resources = resources
        self._database = resources.get(Database)
        self._room: dict[str, int] = {name: room[name] for name in QUEUES if room.get(name)}
        listed_as = "embedded" if self._room else kind
        self.leases = Leases(self._database, lease, kind=listed_as, room=self._room, settings=settings)
        self.worker, self.lease = self.leases.worker, lease
        self._scheduler = Scheduler(self._database, periodic, poll=poll * 5) if periodic else None
        self._poll = poll
        self._queue_of: dict[Claimed, str] = {}
        self._claims: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._stopping = False

    async def start(self) -> None:
        """Begin to claim tasks and to keep leases."""
        queue.listen(self._ring)
        await self.leases.start()
        if self._room:
            self._claims = in_background(self._claim_loop())
        if self._scheduler is not None:
            await self._scheduler.start()

    async def stop(self, grace: float = 10.0) -> None:
        """Claim no more, wait up to `grace` seconds for what runs, hand the rest back at once."""
        self._stopping = True
        queue.unlisten(self._ring)
        if self._scheduler is not None:
            await self._scheduler.stop()
        if self._claims is not None:
            self._wake.set()
            await asyncio.wait((self._claims,), timeout=5)  # a claim is not torn from its commit
            await ended(self._claims)
        await self.leases.stop(grace)

    def holding(self, task: Claimed) -> AbstractAsyncContextManager[None]:
        """Keep the lease of a task that the caller runs itself; the body is cancelled when it is lost."""
        return self.leases.holding(task)

    async def idle(self, timeout: float = 30.0) -> None:
        """Wait until nothing is due and nothing runs here; TimeoutError otherwise."""
        async with asyncio.timeout(timeout):
            while True:
                if not self.leases.busy and not await queue.anything_due(self._database, list(self._room)):
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
        if not await queue.anything_due(self._database, wanting):
            return 0
        claimed: list[tuple[str, Claimed]] = []
        async with self._database.transaction() as tx:
            for name in wanting:
                found = await queue.claim(tx, name, free[name], worker=self.worker, lease=self.lease)
                claimed += [(name, task) for task in found]
        for name, task in claimed:
            self._queue_of[task] = name
            self.leases.run(self._resources, task, self._ended)
        return len(claimed)

    def _ended(self, task: Claimed) -> None:
        self._queue_of.pop(task, None)
        self._wake.set()
