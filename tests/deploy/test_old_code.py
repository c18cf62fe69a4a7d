"""The version before works on the schema of now: servers are replaced one by one, and one may go back."""

import asyncio
import io
import os
import random
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.emulators.openai import OpenAIEmulator, openai_settings
from tests.faults.audit import all_ended, audit
from tests.faults.clients import customers, generate
from tests.faults.server_process import ServerProcess

from hortus.core.db import Database
from hortus.core.settings import Settings
from hortus.ops.migrations import begin_upgrade, folder, head, require_current, require_migrated, revisions, upgrade
from hortus.ops.preflight import NotStarted

ROOT = Path(__file__).parents[2]
NOW = ROOT / "src"


def git(*arguments: str) -> bytes:
    """What git says of this checkout; nothing where it is none, or has no history."""
    return subprocess.run(["git", "-C", str(ROOT), *arguments], check=False, capture_output=True).stdout


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources of the last commit that did not know the newest migration."""
    newest = max(folder().joinpath("versions").glob("[0-9]*.py"))
    if len(revisions()) == 1:
        pytest.skip("no version is older than the initial revision")
    added = git("log", "--follow", "--diff-filter=A", "--format=%H", "--", str(newest)).decode().split()
    packed = git("archive", f"{added[-1]}^", "src", "migrations") if added else b""
    if not packed:
        pytest.skip("needs the history of this repository")
    place = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(place, filter="data")
    known = max(path.name for path in place.glob("migrations/versions/[0-9]*.py"))
    assert known < newest.name
    return place / "src"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_old_and_new_processes_share_a_schema(
    database: Database, database_url: str, tmp_path: Path, before: Path
):
    """An old server with an old worker, with a new one, and the other way round: all is done, and paid for once."""
    rng, folder, total = random.Random(1), tmp_path / "town", 0
    async with OpenAIEmulator(delay=0.05) as vendor:
        common = {"DATABASE_URL": database_url, "SECRET_KEY": "k" * 40, "HORTUS_DATA": str(folder / "data")}
        common |= openai_settings(vendor)
        for serves, works in ((before, before), (before, NOW), (NOW, before)):
            server = ServerProcess(folder, "serve", PYTHONPATH=str(serves), **common)
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(server)
                await stack.enter_async_context(working(folder, {**common, "PYTHONPATH": str(works)}))
                named = customers(server.url, database, 1, name=f"of{total}-")
                (client,) = await stack.enter_async_context(named)
                for place in range(4):
                    await generate(client, total + place, rng, videos=False)
                total += 4
                await all_ended(database, total)
                assert (await client.get("/health/ready")).status_code == 200
                assert (await client.get("/api/user/usage")).status_code == 200
    books = await audit(database, folder / "data" / "files")
    assert books.statuses == {"succeeded": total}


@asynccontextmanager
async def working(folder: Path, settings: dict[str, str]) -> AsyncIterator[None]:
    """A `hortus worker`; stopped at the end."""
    with (folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hortus", "worker", stdout=log, stderr=log, cwd=folder, env={**os.environ, **settings}
        )
    try:
        yield
        assert process.returncode is None, (folder / "log").read_text()[-4000:]
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, database_url=database_url)


def set_revision(settings: Settings, revision: str) -> None:
    """Make the database one of that revision."""

    async def put() -> None:
        database = Database(settings.database)
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})
        await database.close()

    asyncio.run(put())


def test_a_newer_schema_is_left_alone(settings: Settings):
    """`hortus up` of the version before starts on it."""
    set_revision(settings, f"r{int(head()[1:]) + 1:04}")
    upgrade(settings)
    begin_upgrade(settings)()
    require_migrated(settings)


@pytest.mark.parametrize("revision", ["0001", "0028", "ffff"])
@pytest.mark.parametrize("start", [upgrade, begin_upgrade, require_migrated])
def test_a_schema_of_an_unknown_revision_is_refused(
    settings: Settings, revision: str, start: Callable[[Settings], object]
):
    """The revisions from before the initial one had numbers without a letter."""
    set_revision(settings, revision)
    with pytest.raises(NotStarted, match=f"is at revision {revision}, which this version cannot upgrade"):
        start(settings)


def test_a_schema_of_an_older_revision_is_not_served():
    """`serve` names the command that upgrades it."""
    with pytest.raises(NotStarted, match="revision r0001, older than r0002: run `hortus migrate` first"):
        require_current("r0001", ("r0001", "r0002"))
