"""Several processes of Hortus over one database, which may be killed, frozen, stopped and started again."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.emulators.gemini import GeminiEmulator
from tests.emulators.openai import OpenAIEmulator
from tests.faults import deaths
from tests.faults.nursery import Nursery

from hortus import tasks
from hortus.core.db import Database

GREETING = "Hortus is up at "
VENDORS = ("OPENAI_", "GEMINI_", "GOOGLE_")
STARTS_WITHIN = 60.0
LEASE = 3


class Process:
    """One `hortus serve`, `worker` or `scheduler`."""

    def __init__(self, town: "Town", number: int, arguments: tuple[str, ...], settings: dict[str, str]) -> None:
        self._town, self._arguments, self._settings = town, arguments, settings
        self._out = town.folder / f"out-{number}"
        self._port = "0"
        self.pid, self.url = 0, ""

    @property
    def is_alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self.pid != 0 and self._town.nursery.is_alive(self.pid)

    async def start(self, die_at: str = "") -> None:
        """A server is awaited until it listens, at the same address as before; others exist on return."""
        serves = self._arguments[0] in ("serve", "up")
        arguments = [*self._arguments, *(("--port", self._port) if serves else ())]
        environment = {**self._town.environment, **self._settings, deaths.DIE_AT: die_at}
        self._out.unlink(missing_ok=True)
        self.pid = await self._town.nursery.bear(arguments, environment, self._town.folder, self._out)
        if serves:
            await self._greeting()

    async def _greeting(self) -> None:
        async with asyncio.timeout(STARTS_WITHIN):
            while True:
                said = self._out.read_text() if self._out.exists() else ""
                _, found, rest = said.partition(GREETING)
                if found and "\n" in rest:
                    self.url = rest.split()[0]
                    self._port = self.url.rpartition(":")[2]
                    return
                assert self.is_alive, "the server did not start:\n" + self._town.log()[-4000:]
                await asyncio.sleep(0.02)

    async def works(self) -> None:
        """Wait until it has shown itself among the workers."""
        async with asyncio.timeout(STARTS_WITHIN):
            while True:
                async with self._town.database.snapshot() as tx:
                    if any(f":{self.pid}:" in worker.name for worker in await tasks.workers(tx)):
                        return
                assert self.is_alive, self._town.log()[-4000:]
                await asyncio.sleep(0.05)

    def send(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    async def gone(self) -> int:
        """Wait for its end; the exit code."""
        return await self._town.nursery.gone(self.pid)

    async def end(self, number: int = signal.SIGTERM, within: float = 30.0) -> int:
        """Send a signal and wait; the exit code."""
        if not self.is_alive:
            return 0
        self.send(number)
        try:
            async with asyncio.timeout(within):
                return await self.gone()
        except TimeoutError:
            self.send(signal.SIGKILL)
            await self.gone()
            raise AssertionError("it did not stop:\n" + self._town.log()[-4000:]) from None


class Town:
    """What the processes share: a database, a folder, vendors, perhaps a broker."""

    def __init__(self, nursery: Nursery, database: Database, database_url: str, folder: Path, **settings: str) -> None:
        self.nursery, self.database, self.folder = nursery, database, folder
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
        """Where the blobs are."""
        return self.folder / "data" / "files"

    def log(self) -> str:
        """Everything that the processes wrote."""
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    async def add(self, *arguments: str, die_at: str = "", **settings: str) -> Process:
        """Start `hortus <arguments>`; stopped with the town."""
        made = self.plan(*arguments, **settings)
        await made.start(die_at)
        return made

    def plan(self, *arguments: str, **settings: str) -> Process:
        """`hortus <arguments>`, to be started by the caller; stopped with the town."""
        made = Process(self, len(self._processes), arguments, settings)
        self._processes.append(made)
        return made

    async def add_workers(self, number: int, **settings: str) -> list[Process]:
        """Start workers and wait until they work."""
        made = [await self.add("worker", **settings) for _ in range(number)]
        for process in made:
            await process.works()
        return made

    async def close(self) -> None:
        """Stop every process; a frozen one is thawed first."""
        for process in self._processes:
            if process.is_alive:
                process.send(signal.SIGCONT)
        await asyncio.gather(*(process.end(within=30) for process in self._processes))


@asynccontextmanager
async def town(database: Database, database_url: str, folder: Path, **settings: str) -> AsyncIterator[Town]:
    """A town without vendors."""
    async with Nursery() as nursery:
        made = Town(nursery, database, database_url, folder, **settings)
        try:
            yield made
        finally:
            await made.close()


def of_openai(vendor: OpenAIEmulator) -> dict[str, str]:
    """The settings with which texts and images come from this vendor."""
    return {
        "OPENAI_BASE_URL": f"{vendor.url}/v1",
        "OPENAI_API_KEY": "sk-emulated",
        "OPENAI_TEXT_MODEL": "house-writer",
        "OPENAI_IMAGE_MODEL": "house-painter",
    }


def of_gemini(vendor: GeminiEmulator) -> dict[str, str]:
    """The settings with which videos come from this vendor."""
    return {"GEMINI_BASE_URL": vendor.url, "GEMINI_API_KEY": "AIza-emulated", "GEMINI_POLL_SECONDS": "0.2"}
