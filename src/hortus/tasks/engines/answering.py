"""A Celery worker process from inside: many threads that wait, one event loop that works."""

import asyncio
import concurrent.futures
import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

import structlog

from hortus.core.background import run_for_long
from hortus.core.db import Database, Tx
from hortus.core.db.batch import Batch
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.core.shared_settings import shared
from hortus.tasks import queue
from hortus.tasks.engines.celery import Bell
from hortus.tasks.kinds import QUEUES, Claimed
from hortus.tasks.leases import Leases
from hortus.tasks.scheduler import Scheduler

log = structlog.get_logger()
HOPS = 2
"""How often a message that finds no room is passed on before it is left to the sweep."""
SHIFT = 30.0
"""Seconds for which a shift goes on to further rows; then it rings for its successor."""


class CeleryWorker:
    """Answers doorbells: claims as many rows as they tell of, under leases, and runs them on the process's event loop.

    `start`, `answer` and `stop` are called from Celery's threads. `schedule` also looks for what is due by the clock.
    """

    def __init__(
        self,
        opened: Callable[[], AbstractAsyncContextManager[Resources]],
        room: Mapping[str, int],
        *,
        lease: float,
        grace: float,
        schedule: bool = True,
    ) -> None:
        self._opened = opened
        self._room: dict[str, int] = {name: room[name] for name in QUEUES if room.get(name)}
        self._lease, self._grace, self._schedule = lease, grace, schedule
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._live, name="tasks", daemon=True)
        self._open: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._busy: Counter[str] = Counter()
        self._stopping = False

    def start(self, queues: Sequence[str] = QUEUES) -> None:
        """Open everything and begin to keep leases; raises whatever prevented it. Serves only those queues."""
        self._room = {name: room for name, room in self._room.items() if name in queues}
        self._thread.start()
        self._open.result()

    def begin_stop(self) -> None:
        """Take no more work; what runs has `grace` seconds, then it is handed back. Safe in a signal handler."""
        self._stopping = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)

    def stop(self) -> None:
        """Return once everything is handed back and closed."""
        self.begin_stop()
        self._thread.join()

    def answer(self, name: str, rows: Sequence[str], hops: int) -> str:
        """Run what waits in the queue, from a thread that has nothing else to do; what came of it."""
        if self._loop is None:
            return "closed"
        try:
            answer = asyncio.run_coroutine_threadsafe(self._answer(name, rows, hops), self._loop)
        except RuntimeError:  # the loop closed this very moment
            return "closed"
        while True:
            try:
                return answer.result(timeout=5)
            except concurrent.futures.CancelledError:
                return "closed"
            except TimeoutError:
                if not self._thread.is_alive():
                    return "closed"

    def tick(self) -> str:
        """What a scheduler does at each look."""
        if self._loop is None:
            return "closed"
        asyncio.run_coroutine_threadsafe(self._scheduler.tick(), self._loop).result()
        return "looked"

    def _live(self) -> None:
        try:
            run_for_long(self._work())
        except BaseException as error:
            if self._open.done():
                raise
            self._open.set_exception(error)

    async def _work(self) -> None:
        self._stop = asyncio.Event()
        async with self._opened() as resources, contextlib.AsyncExitStack() as stack:
            self._resources, self._bell, database = resources, resources.get(Bell), resources.get(Database)
            settings = shared(resources.get(Settings))
            self._leases = Leases(database, self._lease, kind="celery", room=self._room, settings=settings)
            self._claims: Batch[str, Claimed | None] = Batch(database, self._claim_many)
            self._scheduler = resources.get(Scheduler)
            await self._leases.start()
            stack.push_async_callback(self._leases.stop, self._grace)
            if self._schedule:
                await self._scheduler.start()  # stopped by whoever opened it
            self._loop = asyncio.get_running_loop()
            self._open.set_result(None)
            await self._stop.wait()
        self._loop = None

    async def _answer(self, name: str, rows: Sequence[str], hops: int) -> str:
        room = 0 if self._stopping else self._room.get(name, 0) - self._busy[name]
        now, later = rows[: max(room, 0)], rows[max(room, 0) :]
        if later and hops < HOPS:
            self._bell.ring(name, later, hops + 1)
        if not now:
            return "passed on"
        self._busy[name] += len(now)  # at once: another answer may look before these shifts begin
        return f"ran {sum(await asyncio.gather(*(self._work_shift(name) for _ in now)))}"

    async def _work_shift(self, name: str) -> int:
        """Run what waits, one after the other, and leave the room that was taken; how many that were."""
        ran, until = 0, asyncio.get_running_loop().time() + SHIFT
        try:
            while (task := await self._claim(name)) is not None:
                await asyncio.wait((self._leases.run(self._resources, task, _nothing),))
                ran += 1
                if asyncio.get_running_loop().time() > until:
                    self._bell.ring(name, [""])
                    break
        finally:
            self._busy[name] -= 1
        return ran

    async def _claim(self, name: str) -> Claimed | None:
        if self._stopping:
            return None
        task = await self._claims(name)
        if task is not None and self._stopping:
            await self._leases.give_back(task)
            return None
        return task

    async def _claim_many(self, tx: Tx, names: Sequence[str]) -> list[Claimed | Exception | None]:
        claim = partial(queue.claim, tx, worker=self._leases.worker, lease=self._lease)
        found = {name: await claim(name, wanted) for name, wanted in sorted(Counter(names).items())}
        return [found[name].pop() if found[name] else None for name in names]


def _nothing(_task: Claimed) -> None:
    """Nobody counts here: the answer that waits does."""
