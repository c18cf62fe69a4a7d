"""Runs commands as an operator does, in processes without the test's imports."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

BIN = Path(sys.executable).parent
WITHIN = 120.0


@asynccontextmanager
async def process(folder: Path, *command: str, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a command in a process; its output is in `folder/log`."""
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    environment = {**kept, "HORTUS_DATA": str(folder / "data"), "LOG_FORMAT": "json", "LOG_LEVEL": "debug", **settings}
    program, *arguments = command
    with (folder / "log").open("ab") as log:
        made = await asyncio.create_subprocess_exec(
            str(BIN / program), *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, env=environment,
        )  # fmt: skip
    try:
        yield made
    finally:
        with contextlib.suppress(ProcessLookupError):
            made.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(WITHIN):
                await made.wait()
        except TimeoutError:
            made.kill()
            await made.wait()
            raise
