"""A fork server that starts processes of Hortus quickly: it has imported the libraries and forks on request.

It imports nothing of Hortus: each child imports the modules of its command, as when an operator starts it. A child is
a separate process with its own environment that can be killed, frozen and awaited.
"""

import asyncio
import json
import os
import select
import signal
import sys
from pathlib import Path
from typing import Any, Self

IMPORTED = (
    "aiohttp.web",
    "aiosqlite",
    "asyncpg",
    "celery.app.amqp",
    "celery.apps.worker",
    "fastapi",
    "joserfc.jwt",
    "cryptography.hazmat.primitives.ciphers.aead",
    "kombu.transport.redis",
    "limits.aio",
    "phonenumbers",
    "prometheus_client",
    "pwdlib",
    "pyotp",
    "tomllib",
    "uuid_utils",
    "PIL.Image",
    "pydantic_settings",
    "rich.console",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "sqlalchemy.ext.asyncio",
    "structlog",
    "typer",
    "uvicorn",
)


class ForkServer:
    """Client of the fork server, used by tests."""

    def __init__(self) -> None:
        self._started: asyncio.Queue[int] = asyncio.Queue()
        self._exits: dict[int, asyncio.Future[int]] = {}
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, __file__, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._reader

    async def start_child(self, arguments: list[str], environment: dict[str, str], folder: Path, out: Path) -> int:
        """Start `hortus <arguments>`. Returns the pid; stderr is appended to `folder/log`, stdout to `out`."""
        order = {"arguments": arguments, "environment": environment, "folder": str(folder), "out": str(out)}
        assert self._process.stdin is not None
        async with self._lock:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            return await self._started.get()

    async def exited(self, pid: int) -> int:
        """Wait for the end of the process. Returns its exit code, or the negative signal number."""
        return await asyncio.shield(self._exits[pid])

    def is_alive(self, pid: int) -> bool:
        """Whether the process has not ended."""
        return not self._exits[pid].done()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            event = json.loads(line)
            if "started" in event:
                self._exits[event["started"]] = asyncio.get_running_loop().create_future()
                self._started.put_nowait(event["started"])
            else:
                self._exits[event["exited"]].set_result(event["code"])


def report(**event: int) -> None:
    """Write one event to the test."""
    os.write(1, json.dumps(event).encode() + b"\n")


def run_child(order: dict[str, Any]) -> None:
    """Run `hortus` in the forked child; never returns."""
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    for number, path in ((1, order["out"]), (2, "log")):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = ["hortus", *order["arguments"]]
    code = 1
    try:
        from tests.faults import crash_points

        crash_points.prepare()
        from hortus.cli.commands import app

        app()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        os._exit(code)


def reap(children: set[int]) -> None:
    """Report children that ended."""
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        children.discard(pid)
        report(exited=pid, code=os.waitstatus_to_exitcode(status))


def main() -> None:
    """Fork children until stdin is closed."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    for name in IMPORTED:
        __import__(name)
    assert not [name for name in sys.modules if name.partition(".")[0] == "hortus"]
    for number in (
        signal.SIGTERM,
        signal.SIGINT,
    ):  # the end of stdin ends this process, children first
        signal.signal(number, signal.SIG_IGN)
    children: set[int] = set()
    buffer = b""
    while True:
        reap(children)
        if not select.select([0], [], [], 0.05)[0]:
            continue
        data = os.read(0, 65536)
        if not data:
            break
        *lines, buffer = (buffer + data).split(b"\n")
        for line in lines:
            pid = os.fork()
            if not pid:
                run_child(json.loads(line))
            children.add(pid)
            report(started=pid)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
