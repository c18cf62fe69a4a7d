"""Outages of the database are answered with 503, and the server recovers without intervention."""

import asyncio
import contextlib
import resource
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import asyncpg
import httpx2
import pytest
from sqlalchemy import make_url, text
from tests.faults.clients import PASSWORD
from tests.faults.postgres import SOCKET, Server, own_server
from tests.faults.server_process import ServerProcess
from tests.files.draw import noise
from tests.helpers import schema

from hortus.core.db import Database, engines
from hortus.core.errors import ServiceUnavailable

HEALS = 10.0
NOTICED = 15.0
WELL = {"status": "ok", "database": "ok"}


class Proxy:
    """A proxy to PostgreSQL that can cut, refuse or hang connections."""

    def __init__(self, database_url: str) -> None:
        self._parsed = make_url(database_url)
        self._socket = str(Path(str(self._parsed.query["host"])) / SOCKET)
        self.refuses = self.is_silent = False
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = self._parsed.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Reset every connection."""
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_unix_connection(self._socket)
        self._open |= {writer, there_writer}

        async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while data := await source.read(65536):
                    while self.is_silent:
                        await asyncio.sleep(0.05)
                    target.write(data)
                    await target.drain()
            target.transport.abort()

        await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))


@asynccontextmanager
async def customer(url: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A customer who signed up before the outage."""
    async with httpx2.AsyncClient(base_url=url, timeout=60) as client:
        body = {"email": "asha@example.com", "password": PASSWORD, "accept_terms": True}
        answer = await client.post("/api/auth/register", json=body)
        assert answer.status_code == 201, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        assert (await write(client)).status_code == 201
        yield client


async def write(client: httpx2.AsyncClient) -> httpx2.Response:
    """A request that writes."""
    return await client.post("/api/chatroom", json={"title": "A room " + "of many words " * 12})


async def refused(client: httpx2.AsyncClient) -> None:
    """Assert that writes are answered with a 503 problem without internal details."""
    async with asyncio.timeout(NOTICED):
        while (answer := await write(client)).status_code == 201:
            await asyncio.sleep(0.02)
    assert answer.status_code == 503, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) > 0
    assert (answer.json()["code"], answer.json()["status"]) == ("unavailable", 503)
    told = answer.text.lower()
    assert not [word for word in ("sql", "postgres", "insert", "read-only", "disk") if word in told]


async def not_ready(client: httpx2.AsyncClient, state: str) -> None:
    """Assert that readiness fails with that state."""
    async with asyncio.timeout(NOTICED):
        while (answer := await client.get("/health/ready")).json().get("database") != state:
            await asyncio.sleep(0.1)
    assert answer.status_code == 503, answer.text
    assert answer.json()["status"] == "unavailable"


async def well_again(client: httpx2.AsyncClient) -> None:
    """Wait until the server is ready and writes again on every pooled connection, within ten seconds."""
    since = time.monotonic()
    while True:
        ready, written = await client.get("/health/ready"), await write(client)
        if (ready.status_code, written.status_code) == (200, 201):
            break
        assert time.monotonic() - since < HEALS + 5, (ready.text, written.text)  # the machine may be busy
        await asyncio.sleep(0.2)
    answers = await asyncio.gather(*(write(client) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {201}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with own_server(max_connections="24") as made:
        asyncio.run(schema.build(made.url))
        yield made


async def ask(server: Server, *statements: str) -> None:
    """Run statements as the superuser on a separate connection."""
    connection = await asyncpg.connect(server.url, server_settings={"default_transaction_read_only": "off"})
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


async def test_postgresql_outages_are_503_and_heal(server: Server, tmp_path: Path):
    name = make_url(server.url).database
    settings = {"DATABASE_STATEMENT_SECONDS": "1", "DATABASE_POOL_WAIT_SECONDS": "2", "SECRET_KEY": "k" * 40}
    async with contextlib.AsyncExitStack() as stack:
        line = await stack.enter_async_context(Proxy(server.url))
        child = await stack.enter_async_context(
            ServerProcess(
                tmp_path / "server", "serve", DATABASE_URL=line.url, HORTUS_DATA=str(tmp_path / "data"), **settings
            )
        )
        client = await stack.enter_async_context(customer(child.url))

        # After a failover the connections lead to a server that accepts no writes.
        await ask(server, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on', OTHERS)
        await refused(client)
        await not_ready(client, "read_only")
        assert (await client.get("/api/chatroom")).status_code == 200  # reading goes on
        await ask(server, f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        await well_again(client)

        # The network resets connections and lets none through.
        line.refuses = True
        line.cut()
        await refused(client)
        await not_ready(client, "down")
        line.refuses = False
        await well_again(client)

        # The network swallows everything.
        line.is_silent = True
        await refused(client)
        await not_ready(client, "down")
        line.is_silent = False
        await well_again(client)

        # Others take every connection.
        await ask(server, OTHERS)
        greedy: list[asyncpg.Connection] = []
        with contextlib.suppress(asyncpg.TooManyConnectionsError, asyncpg.CannotConnectNowError):
            while True:
                greedy.append(await asyncpg.connect(server.url))
        own = ", ".join(str(each.get_server_pid()) for each in greedy)
        await greedy[0].execute(f"{OTHERS} AND pid NOT IN ({own})")
        with contextlib.suppress(asyncpg.TooManyConnectionsError):
            while True:
                greedy.append(await asyncpg.connect(server.url))
        await refused(client)
        await not_ready(client, "down")
        for each in greedy:
            await each.close()
        await well_again(client)

        # The server crashes and starts again.
        await asyncio.to_thread(server.restart)
        await well_again(client)
    log = (tmp_path / "server" / "log").read_text()
    assert "Traceback" not in log
    assert "request_failed" not in log


async def test_a_database_whose_name_is_not_known_is_503(tmp_path: Path):
    for url in ("postgresql://hortus@nowhere.invalid/hortus", f"postgresql://hortus@/hortus?host={tmp_path}"):
        database = Database(url)
        for opened in (database.transaction, database.snapshot):
            with pytest.raises(ServiceUnavailable):
                async with opened() as tx:
                    await tx.execute(text("SELECT 1"))
        await database.close()


@pytest.fixture
def small_disk(tmp_path: Path, sqlite_template: Path) -> Iterator[Path]:
    """A disk with room for an empty database, and a little more."""
    folder = tmp_path / "small"
    folder.mkdir()
    size = sqlite_template.stat().st_size // 1024 + 8192  # the log of what was written grows to 4 MiB
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    shutil.copy(sqlite_template, folder / "hortus.db")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk_of_sqlite_is_503_and_heals(small_disk: Path, tmp_path: Path):
    url = f"sqlite+aiosqlite:///{small_disk / 'hortus.db'}"
    async with (
        ServerProcess(tmp_path / "server", DATABASE_URL=url, SECRET_KEY="k" * 40) as child,
        customer(child.url) as client,
    ):
        filler = small_disk / "filler"
        with pytest.raises(OSError, match="No space"), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"0" * 4096)
        await refused(client)
        await not_ready(client, "full")
        assert (await client.get("/api/chatroom")).status_code == 200
        filler.unlink()
        await well_again(client)
    assert "request_failed" not in (tmp_path / "server" / "log").read_text()


async def test_a_full_disk_of_files_is_503_and_heals(sqlite_template: Path, small_disk: Path, tmp_path: Path):
    files = tmp_path / "server" / "data" / "files"
    files.parent.mkdir(parents=True)
    files.symlink_to(small_disk)
    shutil.copy(sqlite_template, files.parent / "hortus.db")
    async with ServerProcess(tmp_path / "server", SECRET_KEY="k" * 40) as child, customer(child.url) as client:
        filler = small_disk / "filler"
        with pytest.raises(OSError, match="No space"), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"0" * 4096)
        upload = {"file": ("big.png", noise("PNG", (256, 256)))}
        answer = await client.post("/api/upload/file", files=upload)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.text
        assert int(answer.headers["Retry-After"]) > 0
        filler.unlink()
        assert (await client.post("/api/upload/file", files=upload)).status_code == 201


async def test_a_disk_of_sqlite_that_fails_is_503_and_heals(sqlite_template: Path, tmp_path: Path):
    """The system refuses to let files grow, as it refuses what a broken disk cannot do."""
    path = tmp_path / "hortus.db"
    shutil.copy(sqlite_template, path)
    url = f"sqlite+aiosqlite:///{path}"
    settings = {"DATABASE_URL": url, "SECRET_KEY": "k" * 40, "LOG_LEVEL": "error"}
    async with ServerProcess(tmp_path / "server", **settings) as child, customer(child.url) as client:
        before = resource.prlimit(child.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (64 * 1024, before[1]))
        await refused(client)
        await not_ready(client, "failing")
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, before)
        await well_again(client)


async def test_a_file_of_sqlite_that_may_only_be_read_is_503(sqlite_template: Path, tmp_path: Path):
    path = tmp_path / "hortus.db"
    shutil.copy(sqlite_template, path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    database = Database(f"sqlite+aiosqlite:///file:{path}?mode=ro&uri=true")
    with pytest.raises(ServiceUnavailable):
        async with database.transaction() as tx:
            await tx.execute(text("DELETE FROM idempotency_keys"))
    await database.close()


@pytest.mark.parametrize("method", ["transaction", "snapshot"])
async def test_a_file_of_sqlite_that_is_no_database_or_cannot_be_opened_is_503(tmp_path: Path, method: str):
    (tmp_path / "damaged.db").write_bytes(b"no database at all " * 1000)
    for path in (tmp_path / "damaged.db", tmp_path / "missing" / "hortus.db"):
        database = Database(f"sqlite+aiosqlite:///{path}")
        with pytest.raises(ServiceUnavailable):
            async with getattr(database, method)() as tx:
                await tx.execute(text("SELECT * FROM users"))
        await database.close()


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (asyncpg.ReadOnlySQLTransactionError("x"), "read_only"),
        (asyncpg.DiskFullError("x"), "full"),
        (asyncpg.TooManyConnectionsError("x"), "unreachable"),
        (asyncpg.CannotConnectNowError("x"), "unreachable"),
        (asyncpg.CrashShutdownError("x"), "unreachable"),
        (asyncpg.InvalidPasswordError("x"), "unreachable"),
        (asyncpg.PostgresIOError("x"), "failing"),
        (asyncpg.DeadlockDetectedError("x"), "busy"),
        (asyncpg.QueryCanceledError("x"), "busy"),
        (asyncpg.UniqueViolationError("x"), None),
        (asyncpg.UndefinedTableError("x"), None),
        (socket.gaierror(-2, "Name or service not known"), "unreachable"),
        (OSError("Multiple exceptions: refused, refused"), "unreachable"),
        (OSError(28, "No space left on device", "/files/x"), None),  # a file, not the database
        (ValueError("x"), None),
    ],
)
def test_outages_are_distinguished_from_errors(error: Exception, found: str | None):
    assert engines.outage(error) == found
