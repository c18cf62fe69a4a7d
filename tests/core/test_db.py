"""Transactions, snapshots and clocks of `core.db` on both databases."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text

from hortus.core import context
from hortus.core.db import Database, NestedTransaction, Tx, db_now, normalise_url
from hortus.core.db.batch import Batch
from hortus.core.http import CallInsideTransaction, Http


async def make_counter(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("CREATE TABLE counter (n integer)"))
        await tx.execute(text("INSERT INTO counter VALUES (0)"))


async def read_counter(database: Database) -> int:
    async with database.snapshot() as tx:
        return int((await tx.execute(text("SELECT n FROM counter"))).scalar_one())


async def test_a_block_commits_or_rolls_back_as_a_whole(database: Database):
    await make_counter(database)
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE counter SET n = n + 1"))
            raise ZeroDivisionError
    assert await read_counter(database) == 0
    async with database.snapshot() as tx:
        await tx.execute(text("UPDATE counter SET n = n + 1"))
    assert await read_counter(database) == 0


async def test_parallel_writers_lose_no_update(database: Database):
    await make_counter(database)

    async def add() -> None:
        async with database.transaction() as tx:
            seen = (await tx.execute(text("SELECT n FROM counter" + lock(tx)))).scalar_one()
            await asyncio.sleep(0)
            await tx.execute(text("UPDATE counter SET n = :n"), {"n": seen + 1})

    await asyncio.gather(*(add() for _ in range(50)))
    assert await read_counter(database) == 50


def lock(tx: Tx) -> str:
    return " FOR UPDATE" if tx.dialect == "postgresql" else ""


async def test_what_runs_after_commit_never_runs_on_rollback(database: Database):
    calls: list[str] = []
    async with database.transaction() as tx:
        tx.after_commit(lambda: calls.append(str(context.transaction_open.get())))
        assert calls == []
    assert calls == ["False"]
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as tx:
            tx.after_commit(lambda: calls.append("never"))
            raise ZeroDivisionError
    assert calls == ["False"]


async def test_transactions_do_not_nest_and_no_vendor_is_called_inside(database: Database):
    async with database.transaction():
        with pytest.raises(NestedTransaction):
            async with database.snapshot():
                pass
        async with Http() as http:
            with pytest.raises(CallInsideTransaction):
                await http.request("GET", "http://127.0.0.1:1/")
    assert context.transaction_open.get() is False


async def test_the_clock_of_the_database_is_near_that_of_the_process_and_comparable(database: Database):
    async with database.snapshot() as tx:
        now = (await tx.execute(select(db_now()))).scalar_one()
        later = (await tx.execute(select(db_now(60)))).scalar_one()
    assert abs((now - datetime.now(UTC)).total_seconds()) < 5
    assert 59 < (later - now).total_seconds() < 61


async def test_a_batch_shares_commits_and_isolates_a_bad_item(database: Database):
    await make_counter(database)
    commits = 0

    async def add_many(tx: Tx, items):
        nonlocal commits
        commits += 1
        if 13 in items:
            raise ValueError("13")
        await tx.execute(text("UPDATE counter SET n = n + :n"), {"n": len(items)})
        return [LookupError(str(item)) if item == 7 else item for item in items]

    add = Batch(database, add_many)
    answers = await asyncio.gather(*(add(n) for n in range(40)), return_exceptions=True)
    assert isinstance(answers[7], LookupError)
    assert isinstance(answers[13], ValueError)
    assert [n for n, answer in enumerate(answers) if answer == n] == [n for n in range(40) if n not in (7, 13)]
    assert await read_counter(database) == 39
    commits = 0
    await asyncio.gather(*(add(n) for n in range(100, 140)))
    assert commits <= 3


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("postgres://u:p@h/d", "postgresql+asyncpg"),
        ("postgresql://u:p@h/d", "postgresql+asyncpg"),
        ("postgresql+psycopg2://u:p@h/d", "postgresql+asyncpg"),
        ("sqlite:///x.db", "sqlite+aiosqlite"),
    ],
)
def test_the_driver_is_named_for_every_spelling_of_a_url(given: str, driver: str):
    assert normalise_url(given).drivername == driver


def test_another_database_is_refused_with_a_sentence():
    with pytest.raises(ValueError, match="use sqlite or postgresql"):
        normalise_url("mysql://h/d")
