"""Pool of media workers: a child process per job, limited in number, memory and time."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

from hortus.providers import Done, Event, Output, Progress, Rejected, Unavailable, Unsupported, Usage

_LOG = "worker.log"
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""The worker reads untrusted files: of the environment it gets only the variables that Python needs to start."""
_MIME_TYPES = {".png": "image/png", ".mp4": "video/mp4"}


class WorkerPool:
    """The media workers of this process; at most `slots` run at a time, other jobs wait."""

    def __init__(self, slots: int = 2) -> None:
        self._slots = asyncio.Semaphore(slots)

    async def run(self, job: dict[str, Any], workdir: Path, timeout: float) -> AsyncGenerator[Event, None]:
        """Run the job in `workdir`. The child process has exited and is reaped when this ends, for any reason."""
        deadline = asyncio.get_running_loop().time() + timeout
        try:
            await asyncio.wait_for(self._slots.acquire(), timeout)
        except TimeoutError as error:
            raise Unavailable("no media worker became free in time") from error
        try:
            left = deadline - asyncio.get_running_loop().time()
            child = await _start(workdir)
            try:
                async with aclosing(_follow(child, job | {"timeout": left}, workdir, left)) as events:
                    async for event in events:
                        yield event
            finally:
                await _reap(child)
        finally:
            self._slots.release()


async def _start(workdir: Path) -> asyncio.subprocess.Process:
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment |= {
        "PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONUTF8": "1", "OMP_NUM_THREADS": "2",
        "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2",
    }  # fmt: skip
    with (workdir / _LOG).open("wb") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "hortus_local.worker", cwd=workdir, env=environment,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log, start_new_session=True,
        )  # fmt: skip


async def _follow(
    child: asyncio.subprocess.Process, job: dict[str, Any], workdir: Path, left: float
) -> AsyncGenerator[Event, None]:
    late = False

    def end_it() -> None:
        nonlocal late
        late = True
        _kill(child)

    alarm = asyncio.get_running_loop().call_later(left, end_it)
    finished = False
    try:
        assert child.stdin is not None  # noqa: S101 - both are pipes
        assert child.stdout is not None  # noqa: S101 - opened as a pipe
        try:
            child.stdin.write(json.dumps(job).encode() + b"\n")
            await child.stdin.drain()
            while line := await child.stdout.readline():
                event = _read(line, workdir)
                finished = isinstance(event, Done)
                yield event
        except (ConnectionError, ValueError) as error:
            raise Unavailable(f"the media worker broke off: {type(error).__name__}") from error
    finally:
        alarm.cancel()
    if late:
        raise Unavailable("the media worker ran out of time")
    with suppress(TimeoutError):
        await asyncio.wait_for(child.wait(), 1.0)  # stdout is closed; let it exit by itself
    if not finished:
        raise Unavailable(f"the media worker stopped with {await child.wait()}: {_end_of_log(workdir)}")


def _read(line: bytes, workdir: Path) -> Event:
    """The event in one line of the worker. Untrusted: a crafted image may have taken the worker over."""
    message = json.loads(line)
    if "percent" in message:
        return Progress(min(max(int(message["percent"]), 0), 100))
    if "output" in message:
        path = workdir / Path(str(message["output"])).name
        kind = _MIME_TYPES.get(path.suffix)
        if kind is None or path.is_symlink() or not path.is_file():
            raise Unavailable("the media worker named a file that is not there")
        return Output(path, kind)
    if "usage" in message:
        used = message["usage"]
        return Done(Usage(images=int(used.get("images", 0)), seconds=float(used.get("seconds", 0.0))))
    detail = str(message.get("detail", ""))[:500]
    if message.get("refusal") == "rejected":
        raise Rejected(detail, "too_long" if message.get("reason") == "too_long" else "bad_input")
    if message.get("refusal") == "unsupported":
        raise Unsupported(detail)
    raise Unavailable(detail)


async def _reap(child: asyncio.subprocess.Process) -> None:
    """Kill the child and wait for it, even while we are being cancelled ourselves."""
    _kill(child)
    if child.stdin is not None:
        child.stdin.close()
    waiting = asyncio.ensure_future(child.communicate())
    try:
        await asyncio.shield(waiting)
    except asyncio.CancelledError:
        await waiting
        raise


def _kill(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        # Not child.kill(): it would look for the exit status itself, and take it from the loop that waits for it.
        with suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)


def _end_of_log(workdir: Path) -> str:
    try:
        return (workdir / _LOG).read_bytes()[-400:].decode("utf-8", "replace").strip()
    except OSError:
        return "no log"
