"""The Celery worker: Celery's threads wait while one event loop claims and runs tasks."""

import asyncio
import concurrent.futures
import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

import structlog

from hortus.core.background import run_loop
from hortus.core.db import Database, Tx
from hortus.core.db.batch import Batch
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.core.shared_settings import shared_values
from hortus.tasks import queue
from hortus.tasks.engines.celery_broker import Notifier
from hortus.tasks.leases import Leases
from hortus.tasks.registry import QUEUES, ClaimedTask
from hortus.tasks.scheduler import Scheduler

log = structlog.get_logger()
MAX_FORWARDS = 2
"""How often a message that finds no free slot is forwarded before it is left to the scheduler."""
MAX_DRAIN_SECONDS = 30.0
"""Seconds for which a drain run claims further rows before it hands over to a new message."""


class CeleryWorker:
    """Handles wake-up messages: claims as many rows as they name, under leases, and runs them on its event loop.

    `start`, `handle` and `stop` are called from Celery's threads. With `schedule` it also runs the scheduler.
    """

    def __init__(
        self,
        opened: Callable[[], AbstractAsyncContextManager[Resources]],
        slots: Mapping[str, int],
        *,
        lease: float,
        grace: float,
        schedule: bool = True,
    ) -> None:
        self._opened = opened
        self._slots: dict[str, int] = {name: slots[name] for name in QUEUES if slots.get(name)}
        self._lease, self._grace, self._schedule = lease, grace, schedule
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._live, name="tasks", daemon=True)
        self._open: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._busy: Counter[str] = Counter()
        self._stopping = False

    def start(self, queues: Sequence[str] = QUEUES) -> None:
        """Open the resources and start to renew leases; raises what prevented it. Serves only those queues."""
        self._slots = {name: count for name, count in self._slots.items() if name in queues}
        self._thread.start()
        self._open.result()

    def begin_stop(self) -> None:
        """Stop claiming; running tasks have `grace` seconds, then they are released. Safe in a signal handler."""
        self._stopping = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)

    def stop(self) -> None:
        """Return once tasks are released and resources closed."""
        self.begin_stop()
        self._thread.join()

    def handle(self, name: str, rows: Sequence[str], forwards: int) -> str:
        """Run waiting tasks of the queue; blocks the calling thread and returns a line for Celery's log."""
        if self._loop is None:
            return "closed"
        try:
            outcome = asyncio.run_coroutine_threadsafe(self._handle(name, rows, forwards), self._loop)
        except RuntimeError:  # the loop closed this very moment
            return "closed"
        while True:
            try:
                return outcome.result(timeout=5)
            except concurrent.futures.CancelledError:
                return "closed"
            except TimeoutError:
                if not self._thread.is_alive():
                    return "closed"

    def tick(self) -> str:
        """One tick of the scheduler."""
        if self._loop is None:
            return "closed"
        asyncio.run_coroutine_threadsafe(self._scheduler.tick(), self._loop).result()
        return "ticked"

    def _live(self) -> None:
        try:
            run_loop(self._work())
        except BaseException as error:
            if self._open.done():
                raise
            self._open.set_exception(error)

    async def _work(self) -> None:
        self._stop = asyncio.Event()
        async with self._opened() as resources, contextlib.AsyncExitStack() as stack:
            self._resources, self._notifier, database = resources, resources[Notifier], resources[Database]
            settings = shared_values(resources[Settings])
            self._leases = Leases(database, self._lease, kind="celery", slots=self._slots, settings=settings)
            self._claims: Batch[str, ClaimedTask | None] = Batch(database, self._claim_many)
            self._scheduler = resources[Scheduler]
            await self._leases.start()
            stack.push_async_callback(self._leases.stop, self._grace)
            if self._schedule:
                await self._scheduler.start()  # stopped by `open_app`
            self._loop = asyncio.get_running_loop()
            self._open.set_result(None)
            await self._stop.wait()
        self._loop = None

    async def _handle(self, name: str, rows: Sequence[str], forwards: int) -> str:
        free = 0 if self._stopping else self._slots.get(name, 0) - self._busy[name]
        now, later = rows[: max(free, 0)], rows[max(free, 0) :]
        if later and forwards < MAX_FORWARDS:
            self._notifier.notify(name, later, forwards + 1)
        if not now:
            return "forwarded"
        self._busy[name] += len(now)  # at once: another message may be handled before these drain runs begin
        return f"ran {sum(await asyncio.gather(*(self._drain_queue(name) for _ in now)))}"

    async def _drain_queue(self, name: str) -> int:
        """Claim and run tasks one after the other, then free the slot; returns the number of tasks."""
        ran, until = 0, asyncio.get_running_loop().time() + MAX_DRAIN_SECONDS
        try:
            while (task := await self._claim(name)) is not None:
                await asyncio.wait((self._leases.run(self._resources, task, _nothing),))
                ran += 1
                if asyncio.get_running_loop().time() > until:
                    self._notifier.notify(name, [""])
                    break
        finally:
            self._busy[name] -= 1
        return ran

    async def _claim(self, name: str) -> ClaimedTask | None:
        if self._stopping:
            return None
        task = await self._claims(name)
        if task is not None and self._stopping:
            await self._leases.release(task)
            return None
        return task

    async def _claim_many(self, tx: Tx, names: Sequence[str]) -> list[ClaimedTask | Exception | None]:
        claim = partial(queue.claim, tx, worker=self._leases.worker, lease=self._lease)
        found = {name: await claim(name, wanted) for name, wanted in sorted(Counter(names).items())}
        return [found[name].pop() if found[name] else None for name in names]


def _nothing(_task: ClaimedTask) -> None:
    """`_drain_queue` waits for the task itself."""
