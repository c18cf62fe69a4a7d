"""A server process that can be killed and restarted at the same address."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

READY_LINE = "Hortus is up at "
START_TIMEOUT = 120.0
VENDORS = ("OPENAI_", "GEMINI_", "GOOGLE_")


class ServerProcess:
    """`hortus up` on `folder`, or `hortus serve`; `settings` are environment variables."""

    def __init__(self, folder: Path, command: str = "up", **settings: str) -> None:
        self.folder, self._command = folder, command
        self.url, self.kills = "", 0
        self.printed = ""
        """Its output after the ready line, such as mails it would have sent."""
        self._port = "0"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(VENDORS)}
        self._environment = {**kept, "RATE_LIMITS_ENABLED": "false", **settings}
        self._process: asyncio.subprocess.Process | None = None
        self._drain: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Id of the current process."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start the process and wait until it listens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "hortus", self._command, "--port", self._port,
                "--data", str(self.folder / "data"),
                stdout=asyncio.subprocess.PIPE, stderr=log, cwd=self.folder, env=self._environment,
            )  # fmt: skip
        assert self._process.stdout is not None
        async with asyncio.timeout(START_TIMEOUT):
            async for line in self._process.stdout:
                text = line.decode()
                if READY_LINE in text:
                    self.url = text.partition(READY_LINE)[2].strip()
                    break
            else:
                raise RuntimeError("the server did not start:\n" + (self.folder / "log").read_text()[-4000:])
        self._port = self.url.rpartition(":")[2]
        self._drain = asyncio.create_task(self._read_on(self._process.stdout))

    async def kill(self) -> None:
        """Send SIGKILL and wait for the end."""
        self.kills += 1
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """Send SIGTERM and wait for the end. Returns the exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: int) -> int:
        if self._process is None:
            return 0
        if self._process.returncode is None:
            self._process.send_signal(number)
        code = await self._process.wait()
        if self._drain is not None:
            await self._drain
        self._process = None
        return code

    async def _read_on(self, stream: asyncio.StreamReader) -> None:
        while piece := await stream.read(65536):
            self.printed += piece.decode(errors="replace")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Stop the process at the end, if it still runs."""
        try:
            yield self
        finally:
            await self.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None and self._process.returncode is None:
            await self.stop()
