"""Reads from a replica: old rows only, and only once it has replayed them."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import text
from tests.faults.postgres import own_server, standby_of

from hortus.core import ids
from hortus.core.db import Database
from hortus.core.db.engines import ConnectionProfile
from hortus.core.db.paging import PageRequest, encode_cursor
from hortus.core.db.replica import SETTLED, Replica
from hortus.core.web.deps import _replica
from hortus.main import routes

OLD = timedelta(minutes=5)


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[str, str]]:
    with own_server(wal_level="replica") as primary, standby_of(primary) as standby:
        yield primary.url, standby


@asynccontextmanager
async def opened(url: str, replica_url: str) -> AsyncIterator[Database]:
    database = Database(url, replica_url=replica_url)
    try:
        yield database
    finally:
        await database.close()


async def where(database: Database, before: datetime | None) -> str:
    async with database.history(before) as tx:
        inside = (await tx.execute(text("SELECT pg_is_in_recovery()"))).scalar_one()
    return "replica" if inside else "primary"


async def settles(database: Database) -> str:
    """The server that reads old rows once the replica has caught up with the LSN."""
    async with asyncio.timeout(20):
        while await where(database, datetime.now(UTC) - OLD) != "replica":
            await asyncio.sleep(0.1)
    return "replica"


async def test_only_old_rows_are_read_from_the_replica(pair: tuple[str, str]):
    async with opened(*pair) as database:
        assert await settles(database) == "replica"
        assert await where(database, None) == "primary"
        assert await where(database, datetime.now(UTC)) == "primary"
        assert await where(database, datetime.now(UTC) - SETTLED + timedelta(seconds=5)) == "primary"


async def test_a_lagging_unreachable_or_false_replica_is_not_used(pair: tuple[str, str]):
    primary, standby = (Database(url) for url in pair)
    replica = Replica(standby.engine, primary.engine, mark_seconds=0)
    async with asyncio.timeout(20):
        while not await replica.is_fit():
            await asyncio.sleep(0.1)
    async with standby.engine.begin() as connection:
        await connection.execute(text("SELECT pg_wal_replay_pause()"))
    async with primary.transaction() as tx:
        await tx.execute(text("CREATE TABLE IF NOT EXISTS written (n integer)"))
    for _ in range(3):
        assert not await replica.is_fit()
        await asyncio.sleep(0.6)
    async with standby.engine.begin() as connection:
        await connection.execute(text("SELECT pg_wal_replay_resume()"))
    async with asyncio.timeout(20):
        while not await replica.is_fit():
            await asyncio.sleep(0.1)
    assert not await Replica(primary.engine, primary.engine).is_fit()
    with tempfile.TemporaryDirectory() as folder:
        away = Database(f"postgresql://postgres@/postgres?host={folder}", profile=ConnectionProfile(pool_wait=1))
        assert not await Replica(away.engine, primary.engine).is_fit()
        await away.close()
    await primary.close()
    await standby.close()


def test_a_cursor_has_the_age_of_its_page_and_a_first_page_is_new():
    made = datetime.now(UTC)
    born = PageRequest(20, encode_cursor(ids.new())).before()
    assert born is not None
    assert abs(born - made) < timedelta(seconds=5)
    for cursor in (None, encode_cursor("7"), encode_cursor(ids.new(), ids.new())):
        assert PageRequest(20, cursor).before() is None
    assert PageRequest(20, encode_cursor("ffffffff-ffff-7fff-bfff-ffffffffffff")).before() is None


def test_only_lists_of_the_ledger_are_read_from_a_replica():
    """Its rows are append-only. Lists whose rows change must not be added: a reader would miss changes."""

    def asks(dependant) -> bool:
        return dependant.call is _replica or any(asks(each) for each in dependant.dependencies)

    listed = (route for feature in routes.ALL for route in feature.router.routes)
    found = {route.path for route in listed if isinstance(route, APIRoute) and asks(route.dependant)}
    assert found == {"/api/user/credits"}
