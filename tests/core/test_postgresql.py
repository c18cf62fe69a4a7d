"""Connection profiles on PostgreSQL, and deadlocks between transactions."""

import asyncio

import pytest
from sqlalchemy import text

from hortus.core.db import Database, Tx
from hortus.core.db.batch import Batch
from hortus.core.db.engines import ConnectionProfile
from hortus.core.errors import ServiceUnavailable
from hortus.core.settings import Settings
from hortus.ops.databases import Role, connection_profile

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
SHOWN = (
    "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'), "
    "current_setting('idle_in_transaction_session_timeout'), current_setting('application_name')"
)


@pytest.mark.parametrize("pgbouncer", [False, True])
@pytest.mark.parametrize(
    ("role", "times"),
    [
        ("server", ("30s", "10s", "1min")),
        ("worker", ("2min", "10s", "1min")),
        ("migration", ("0", "3s", "0")),
        ("console", ("0", "10s", "1min")),
    ],
)
async def test_each_role_has_its_timeouts_and_its_name(
    database_url: str, role: Role, times: tuple[str, ...], pgbouncer: bool
):
    settings = Settings(database_pgbouncer=pgbouncer)
    database = Database(database_url, profile=connection_profile(settings, role))
    for open_it in (database.transaction, database.snapshot):
        async with open_it() as tx:
            found = (await tx.execute(text(SHOWN))).one()
            assert found[:3] == times
            assert found[3].startswith(f"hortus {role} ")
    await database.close()


async def test_behind_a_pooler_no_prepared_statement_is_reused(database_url: str):
    """Deallocate prepared statements, as a transaction pooler does."""
    database = Database(database_url, pool_size=1, profile=ConnectionProfile(pgbouncer=True))
    for _ in range(3):
        async with database.transaction() as tx:
            assert (await tx.execute(text("SELECT CAST(:n AS integer)"), {"n": 5})).scalar_one() == 5
        async with database.transaction() as tx:
            await tx.execute(text("DISCARD PLANS"))
            await tx.execute(text("DEALLOCATE ALL"))
    await database.close()


@pytest.mark.parametrize("pgbouncer", [False, True])
async def test_a_statement_or_lock_timeout_is_a_problem_to_retry(database_url: str, pgbouncer: bool):
    keeps = ConnectionProfile(statement=0.3, lock=0.1, pgbouncer=pgbouncer)
    database = Database(database_url, profile=keeps)
    patient = Database(database_url)
    async with patient.transaction() as tx:
        await tx.execute(text("CREATE TABLE counter (n integer)"))
    with pytest.raises(ServiceUnavailable) as slow:
        async with database.transaction() as tx:
            await tx.execute(text("SELECT pg_sleep(20)"))
    assert slow.value.headers == {"Retry-After": "2"}
    async with patient.engine.begin() as held:
        await held.execute(text("LOCK TABLE counter"))
        with pytest.raises(ServiceUnavailable):
            async with database.transaction() as tx:
                await tx.execute(text("UPDATE counter SET n = 1"))
    await database.close()
    await patient.close()


async def _make_two(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("CREATE TABLE counter (id integer PRIMARY KEY, n integer)"))
        await tx.execute(text("INSERT INTO counter VALUES (1, 0), (2, 0)"))


async def _counts(database: Database) -> list[int]:
    async with database.snapshot() as tx:
        return list((await tx.execute(text("SELECT n FROM counter ORDER BY id"))).scalars())


class Crossing:
    """Two transactions take two rows in opposite orders, and the first time wait until both have one."""

    def __init__(self) -> None:
        self.tried = 0
        self._meet = asyncio.Barrier(2)

    async def cross(self, tx: Tx, rows: tuple[int, int]) -> None:
        self.tried += 1
        together = self.tried <= 2
        for row in rows:
            await tx.execute(text("UPDATE counter SET n = n + 1 WHERE id = :row"), {"row": row})
            if together and row == rows[0]:
                await self._meet.wait()


async def test_a_deadlock_is_repeated_whole_and_counted_once(database: Database):
    await _make_two(database)
    crossing, committed = Crossing(), []

    async def work(tx: Tx, rows: tuple[int, int]) -> None:
        tx.after_commit(lambda: committed.append(rows))
        await crossing.cross(tx, rows)

    await asyncio.gather(
        database.retry(lambda tx: work(tx, (1, 2))),
        database.retry(lambda tx: work(tx, (2, 1))),
    )
    assert crossing.tried == 3
    assert await _counts(database) == [2, 2]
    assert sorted(committed) == [(1, 2), (2, 1)]


async def test_a_batch_that_deadlocks_is_repeated(database: Database):
    await _make_two(database)
    crossing = Crossing()

    async def work(tx: Tx, items) -> list[int]:
        for rows in items:
            await crossing.cross(tx, rows)
        return [0 for _ in items]

    assert await asyncio.gather(Batch(database, work)((1, 2)), Batch(database, work)((2, 1))) == [0, 0]
    assert crossing.tried == 3
    assert await _counts(database) == [2, 2]


async def test_a_plain_transaction_that_deadlocks_is_rolled_back_and_raises(database: Database):
    await _make_two(database)
    crossing = Crossing()

    async def plain(rows: tuple[int, int]) -> None:
        async with database.transaction() as tx:
            await crossing.cross(tx, rows)

    ended = await asyncio.gather(plain((1, 2)), plain((2, 1)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in ended) == ["NoneType", "ServiceUnavailable"]
    assert await _counts(database) == [1, 1]


async def test_endless_deadlocks_are_given_up(database: Database):
    tried = []

    async def work(tx: Tx) -> None:
        tried.append(1)
        await tx.execute(text("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$"))

    with pytest.raises(ServiceUnavailable):
        await database.retry(work)
    assert len(tried) == 4


async def test_other_errors_are_not_repeated(database: Database):
    tried = []

    async def work(_tx: Tx) -> None:
        tried.append(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.retry(work)
    assert len(tried) == 1
