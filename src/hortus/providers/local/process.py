"""Runs the media worker: one process a job, bounded in time and memory, gone when the job is."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from hortus.providers.base import Event, Output, Progress, ProviderError, Rejected, Unavailable, Unsupported

AT_ONCE = 2


class Workshop:
    """At most two workers at a time; a job that is not wanted any more is killed at once."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(AT_ONCE)

    async def run(self, job: dict[str, Any], workdir: Path, timeout: float) -> AsyncIterator[Event]:
        """Progress and outputs of one job. Raises Rejected, Unsupported or Unavailable."""
        async with self._room:
            worker = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "hortus.providers.local.worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                cwd=workdir,
                limit=2**20,
            )
            try:
                async with asyncio.timeout(timeout):
                    async for event in _talk(worker, job, workdir):
                        yield event
            except TimeoutError:
                raise Unavailable("the media worker took too long") from None
            finally:
                if worker.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        worker.kill()
                await asyncio.shield(worker.wait())


async def _talk(worker: asyncio.subprocess.Process, job: dict[str, Any], workdir: Path) -> AsyncIterator[Event]:
    if worker.stdin is None or worker.stdout is None:
        raise Unavailable("the media worker has no pipes")
    # Its standard input stays open: when we die, it reads the end of file and dies too.
    try:
        worker.stdin.write(json.dumps(job).encode() + b"\n")
        await worker.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        raise Unavailable("the media worker died at once") from None
    async for line in worker.stdout:
        said = json.loads(line)
        if "progress" in said:
            yield Progress(said["progress"])
        elif "output" in said:
            yield Output(workdir / Path(said["output"]).name, said["mime_type"])
        elif "refusal" in said:
            raise _error_of(said)
        elif "done" in said:
            return
    raise Unavailable(f"the media worker died ({await worker.wait()})")


def _error_of(said: dict[str, Any]) -> ProviderError:
    if said["refusal"] == "rejected":
        return Rejected(said["detail"], said["reason"])
    if said["refusal"] == "unsupported":
        return Unsupported(said["detail"])
    return Unavailable(said["detail"])
