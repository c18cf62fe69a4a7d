"""A cluster of Hortus processes over one database that can be killed, frozen, stopped and restarted."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.emulators.gemini import GeminiEmulator
from tests.faults import crash_points
from tests.faults.fork_server import ForkServer

from hortus import tasks
from hortus.core.db import Database

READY_LINE = "Hortus is up at "
VENDORS = ("OPENAI_", "GEMINI_", "GOOGLE_")
START_TIMEOUT = 60.0
LEASE = 3


class Process:
    """One `hortus serve`, `worker` or `scheduler`."""

    def __init__(self, cluster: "Cluster", number: int, arguments: tuple[str, ...], settings: dict[str, str]) -> None:
        self._cluster, self._arguments, self._settings = cluster, arguments, settings
        self._out = cluster.folder / f"out-{number}"
        self._port = "0"
        self.pid, self.url = 0, ""

    @property
    def is_alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self.pid != 0 and self._cluster.fork_server.is_alive(self.pid)

    async def start(self, crash_at: str = "") -> None:
        """Start the process. Waits until a server listens, at the same address as before; others are not awaited."""
        serves = self._arguments[0] in ("serve", "up")
        arguments = [*self._arguments, *(("--port", self._port) if serves else ())]
        environment = {**self._cluster.environment, **self._settings, crash_points.CRASH_AT: crash_at}
        self._out.unlink(missing_ok=True)
        self.pid = await self._cluster.fork_server.start_child(arguments, environment, self._cluster.folder, self._out)
        if serves:
            await self._wait_for_ready_line()

    async def _wait_for_ready_line(self) -> None:
        async with asyncio.timeout(START_TIMEOUT):
            while True:
                output = self._out.read_text() if self._out.exists() else ""
                _, found, rest = output.partition(READY_LINE)
                if found and "\n" in rest:
                    self.url = rest.split()[0]
                    self._port = self.url.rpartition(":")[2]
                    return
                assert self.is_alive, "the server did not start:\n" + self._cluster.log()[-4000:]
                await asyncio.sleep(0.02)

    async def registered(self) -> None:
        """Wait until the process has a heartbeat as a worker."""
        async with asyncio.timeout(START_TIMEOUT):
            while True:
                async with self._cluster.database.snapshot() as tx:
                    if any(f":{self.pid}:" in worker.name for worker in await tasks.workers(tx)):
                        return
                assert self.is_alive, self._cluster.log()[-4000:]
                await asyncio.sleep(0.05)

    def send(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    async def exited(self) -> int:
        """Wait for the end of the process. Returns the exit code."""
        return await self._cluster.fork_server.exited(self.pid)

    async def end(self, number: int = signal.SIGTERM, within: float = 30.0) -> int:
        """Send a signal and wait for the end of the process. Returns the exit code."""
        if not self.is_alive:
            return 0
        self.send(number)
        try:
            async with asyncio.timeout(within):
                return await self.exited()
        except TimeoutError:
            self.send(signal.SIGKILL)
            await self.exited()
            raise AssertionError("it did not stop:\n" + self._cluster.log()[-4000:]) from None


class Cluster:
    """Resources shared by the processes: a database, a folder, emulators, optionally a broker."""

    def __init__(
        self, fork_server: ForkServer, database: Database, database_url: str, folder: Path, **settings: str
    ) -> None:
        self.fork_server, self.database, self.folder = fork_server, database, folder
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(VENDORS)}
        self.environment = {
            **kept, "HORTUS_DATA": str(folder / "data"), "DATABASE_URL": database_url, "SECRET_KEY": "k" * 40,
            "LEASE_SECONDS": str(LEASE), "WORKER_CONCURRENCY": "4", "RATE_LIMITS_ENABLED": "false",
            "LOG_FORMAT": "json", "SHUTDOWN_GRACE_SECONDS": "5", **settings,
        }  # fmt: skip
        self._processes: list[Process] = []

    @property
    def files(self) -> Path:
        """Folder of the blobs."""
        return self.folder / "data" / "files"

    def log(self) -> str:
        """Log output of all processes."""
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    async def add(self, *arguments: str, crash_at: str = "", **settings: str) -> Process:
        """Start `hortus <arguments>`; it is stopped with the cluster."""
        made = self.plan(*arguments, **settings)
        await made.start(crash_at)
        return made

    def plan(self, *arguments: str, **settings: str) -> Process:
        """A process `hortus <arguments>` that the caller starts; it is stopped with the cluster."""
        made = Process(self, len(self._processes), arguments, settings)
        self._processes.append(made)
        return made

    async def add_workers(self, number: int, **settings: str) -> list[Process]:
        """Start workers and wait until they are registered."""
        made = [await self.add("worker", **settings) for _ in range(number)]
        for process in made:
            await process.registered()
        return made

    async def close(self) -> None:
        """Stop all processes; frozen ones are continued first."""
        for process in self._processes:
            if process.is_alive:
                process.send(signal.SIGCONT)
        await asyncio.gather(*(process.end(within=30) for process in self._processes))


@asynccontextmanager
async def cluster(database: Database, database_url: str, folder: Path, **settings: str) -> AsyncIterator[Cluster]:
    """A cluster without emulators."""
    async with ForkServer() as fork_server:
        made = Cluster(fork_server, database, database_url, folder, **settings)
        try:
            yield made
        finally:
            await made.close()


def gemini_settings(vendor: GeminiEmulator) -> dict[str, str]:
    """The settings that make this emulator the provider of videos."""
    return {"GEMINI_BASE_URL": vendor.url, "GEMINI_API_KEY": "AIza-emulated", "GEMINI_POLL_SECONDS": "0.2"}
