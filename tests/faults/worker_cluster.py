"""Worker and scheduler processes that can be stopped, frozen and killed, and the notes of their probe tasks."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from sqlalchemy import select
from tests.faults import probe_tasks

from hortus import tasks
from hortus.core.db import Database
from hortus.tasks.engines.celery_broker import Notifier, make_app
from hortus.tasks.tables import Task

VENDORS = ("OPENAI_", "GEMINI_", "GOOGLE_")
ROOT = Path(__file__).parents[2]


class Process:
    """`hortus worker` or `hortus scheduler`, with the probe tasks."""

    def __init__(self, role: str, folder: Path, **settings: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(VENDORS)}
        self.notes = folder / "notes"
        self._role, self._folder = role, folder
        self._environment = {
            **kept, "HORTUS_DATA": str(folder / "data"), probe_tasks.NOTES: str(self.notes), "LOG_FORMAT": "json",
            "LEASE_SECONDS": "3", "WORKER_CONCURRENCY": "2", "SECRET_KEY": "k" * 40, **settings,
        }  # fmt: skip
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the process. It is registered as a worker some seconds later."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, str(ROOT / "tests" / "faults" / "probe_tasks.py"), self._role,
                stdout=log, stderr=log, cwd=self._folder, env=self._environment,
            )  # fmt: skip

    @property
    def runs(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    def send(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def end(self, number: int = signal.SIGTERM, within: float = 20.0) -> int:
        """Send a signal and wait; the exit code."""
        if self._process is None:
            return 0
        if self._process.returncode is None:
            self._process.send_signal(number)
        try:
            async with asyncio.timeout(within):
                code = await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            raise AssertionError("it did not stop:\n" + self.log()) from None
        self._process = None
        return code

    def log(self) -> str:
        """The end of the log of the processes of this folder."""
        return (self._folder / "log").read_text()[-6000:]


class WorkerCluster:
    """Processes that share a database and a broker."""

    def __init__(self, database: Database, database_url: str, broker: str, folder: Path) -> None:
        self.database, self.folder = database, folder
        self._settings = {"DATABASE_URL": database_url, "CELERY_BROKER_URL": broker}
        self.notifier = Notifier(make_app(broker, {}))
        self._stack = AsyncExitStack()

    async def add(self, role: str = "worker", number: int = 1, **settings: str) -> list[Process]:
        """Start processes and wait for their heartbeats."""
        made = [Process(role, self.folder, **{**self._settings, **settings}) for _ in range(number)]
        before = await self.alive()
        for process in made:
            await process.start()
            self._stack.push_async_callback(process.end)
        try:
            async with asyncio.timeout(90):
                while await self.alive() < before + number:
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError("not started:\n" + made[0].log()) from None
        return made

    async def alive(self) -> int:
        """Number of processes with a heartbeat."""
        async with self.database.snapshot() as tx:
            return len(await tasks.workers(tx))

    async def want(
        self,
        numbers: Sequence[int],
        seconds: float = 0,
        *,
        kind: tasks.TaskType = probe_tasks.PROBE,
        user: str | None = None,
    ) -> None:
        """Enqueue probes in one transaction."""
        async with self.database.transaction() as tx:
            await tasks.enqueue_many(
                tx,
                [tasks.NewTask(kind, {"n": n, "seconds": seconds}, user_id=user, request_id=f"r-{n}") for n in numbers],
            )

    def noted(self, word: str) -> list[str]:
        """The second words of the notes that begin with `word`."""
        notes = self.folder / "notes"
        lines = notes.read_text().splitlines() if notes.exists() else []
        return [line.split()[1] for line in lines if line.split()[0] == word]

    async def started(self, number: int, within: float = 15.0) -> None:
        """Wait for that many starts."""
        try:
            async with asyncio.timeout(within):
                while len(self.noted("start")) < number:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{self.noted('start')}\n{Process('', self.folder).log()}") from None

    async def done(self, number: int, within: float = 30.0) -> None:
        """Wait until that many probes are done, and assert that each inserted exactly one effect."""
        query = select(Task.name, Task.status, Task.payload)
        found: list = []
        try:
            async with asyncio.timeout(within):
                while True:
                    async with self.database.snapshot() as tx:
                        found = list((await tx.execute(query)).all())
                    if (
                        sum(name in ("probe", "probe.video") and status == "done" for name, status, _ in found)
                        >= number
                    ):
                        break
                    await asyncio.sleep(0.05)
        except TimeoutError:
            states = Counter((name, status) for name, status, _ in found)
            raise AssertionError(f"{states}\n{Process('', self.folder).log()}") from None
        assert {status for name, status, _ in found if name in ("probe", "probe.video")} == {"done"}
        effects = Counter(payload["n"] for name, _, payload in found if name == "probe.effect")
        assert effects == Counter(payload["n"] for name, _, payload in found if name in ("probe", "probe.video"))


@asynccontextmanager
async def worker_cluster(
    database: Database, database_url: str, broker: str, folder: Path
) -> AsyncIterator[WorkerCluster]:
    """A cluster whose notifier runs in the test; its processes are stopped at the end."""
    made = WorkerCluster(database, database_url, broker, folder)
    async with made._stack:
        made.notifier.start()
        try:
            yield made
        finally:
            await made.notifier.stop()
