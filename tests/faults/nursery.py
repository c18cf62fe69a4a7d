"""Processes of Hortus that start quickly: one process has imported the libraries and forks whenever it is asked.

It imports nothing of Hortus: each child loads what its command loads, as it does when an operator starts it. A child
is a process of its own, with its own environment, which may be killed, frozen and waited for.
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


class Nursery:
    """The test's side."""

    def __init__(self) -> None:
        self._births: asyncio.Queue[int] = asyncio.Queue()
        self._deaths: dict[int, asyncio.Future[int]] = {}
        self._one = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, __file__, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        self._news = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._news

    async def bear(self, arguments: list[str], environment: dict[str, str], folder: Path, out: Path) -> int:
        """Start `hortus <arguments>`; the pid. Its errors go to `folder/log`, what it says to `out`."""
        order = {"arguments": arguments, "environment": environment, "folder": str(folder), "out": str(out)}
        assert self._process.stdin is not None
        async with self._one:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            return await self._births.get()

    async def gone(self, pid: int) -> int:
        """Wait for the end of that process; its exit code, or the signal, negative."""
        return await asyncio.shield(self._deaths[pid])

    def is_alive(self, pid: int) -> bool:
        """Whether it has not ended."""
        return not self._deaths[pid].done()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            news = json.loads(line)
            if "born" in news:
                self._deaths[news["born"]] = asyncio.get_running_loop().create_future()
                self._births.put_nowait(news["born"])
            else:
                self._deaths[news["died"]].set_result(news["code"])


def tell(**news: int) -> None:
    """One line to the test."""
    os.write(1, json.dumps(news).encode() + b"\n")


def live(order: dict[str, Any]) -> None:
    """Become `hortus`; never returns."""
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
        from tests.faults import deaths

        deaths.prepare()
        from hortus.cli.commands import app

        app()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        os._exit(code)


def bury(children: set[int]) -> None:
    """Tell of those that ended."""
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        children.discard(pid)
        tell(died=pid, code=os.waitstatus_to_exitcode(status))


def main() -> None:
    """Bear children until nobody asks any more."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    for name in IMPORTED:
        __import__(name)
    assert not [name for name in sys.modules if name.partition(".")[0] == "hortus"]
    for number in (
        signal.SIGTERM,
        signal.SIGINT,
    ):  # the end of stdin ends us, children first
        signal.signal(number, signal.SIG_IGN)
    children: set[int] = set()
    asked = b""
    while True:
        bury(children)
        if not select.select([0], [], [], 0.05)[0]:
            continue
        data = os.read(0, 65536)
        if not data:
            break
        *lines, asked = (asked + data).split(b"\n")
        for line in lines:
            pid = os.fork()
            if not pid:
                live(json.loads(line))
            children.add(pid)
            tell(born=pid)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
