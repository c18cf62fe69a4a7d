"""Races with real commits: of N calls for k, exactly k succeed, and nothing deadlocks."""

import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC
from pathlib import Path

import pytest

from hortus import quotas
from hortus.core import ids
from hortus.core.db import Database, Tx
from hortus.core.db.batch import Batch

ROOM = 5  # images a month in `basic`


@pytest.fixture
async def databases(database_url: str, planned: Database) -> AsyncIterator[list[Database]]:
    """Three pools on one database, as three processes would have."""
    opened = [planned, *(Database(database_url, pool_size=4) for _ in range(2))]
    yield opened
    for database in opened[1:]:
        await database.close()


async def consume_images(tx: Tx, uses: Sequence[quotas.QuotaUse]) -> Sequence[Exception | None]:
    return await quotas.consume_many(tx, uses, zone=UTC)


async def images(database: Database, user: str) -> int:
    async with database.snapshot() as tx:
        shown = await quotas.usage(tx, user, zone=UTC)
    return next(each.used for each in shown.windows if each.kind == "image")


async def test_single_transactions_let_exactly_five_of_200_through(databases: list[Database]):
    user = ids.new()

    async def attempt(number: int) -> bool:
        try:
            async with databases[number % 3].transaction() as tx:
                await quotas.consume(tx, user, "image", reference=f"r{number}", zone=UTC)
        except quotas.QuotaExceeded:
            return False
        return True

    assert sum(await asyncio.gather(*(attempt(number) for number in range(200)))) == ROOM
    assert await images(databases[0], user) == ROOM


async def test_batches_let_exactly_five_of_200_through(databases: list[Database]):
    user = ids.new()
    batches = [Batch(database, consume_images, max_items=16) for database in databases]
    calls = (batches[number % 3](quotas.QuotaUse(f"r{number}", user, "image")) for number in range(200))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(answer is None for answer in answers) == ROOM
    assert sum(isinstance(answer, quotas.QuotaExceeded) for answer in answers) == 195
    assert await images(databases[0], user) == ROOM


async def test_a_use_is_restored_once(databases: list[Database]):
    user = ids.new()
    async with databases[0].transaction() as tx:
        await quotas.consume(tx, user, "image", reference="r", zone=UTC, count=2)
        await quotas.consume(tx, user, "image", reference="other", zone=UTC)
    batches = [Batch(database, quotas.restore_many, max_items=4) for database in databases]
    assert sum(await asyncio.gather(*(batches[n % 3]("r") for n in range(30)))) == 1
    assert await images(databases[0], user) == 1


async def test_batches_over_the_same_users_do_not_deadlock(databases: list[Database]):
    users = [ids.new() for _ in range(12)]
    chance = random.Random(7)
    failures: list[BaseException] = []
    given: list[bool] = []

    async def work(database: Database) -> None:
        for _ in range(8):
            uses = [quotas.QuotaUse(ids.new(), user, kind) for user in users for kind in ("image", "speech")]
            chance.shuffle(uses)
            try:
                async with database.transaction() as tx:
                    answers = await quotas.consume_many(tx, uses, zone=UTC)
                counted = [use.reference for use, answer in zip(uses, answers, strict=True) if answer is None]
                async with database.transaction() as tx:
                    given.extend(await quotas.restore_many(tx, counted))
            except Exception as error:
                failures.append(error)

    await asyncio.gather(*(work(databases[n % 3]) for n in range(6)))
    assert failures == []
    assert given
    assert all(given)
    assert [await images(databases[0], user) for user in users] == [0] * 12


def start_racer(url: str, user: str) -> subprocess.Popen[str]:
    program = [sys.executable, str(Path(__file__).with_name("racer.py")), url, user, "50"]
    return subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def test_two_processes_let_exactly_five_through(database_url: str, planned: Database):
    user = ids.new()
    racers = [start_racer(database_url, user) for _ in range(2)]
    ran = await asyncio.gather(*(asyncio.to_thread(racer.communicate, "go\n", timeout=60) for racer in racers))
    assert [racer.returncode for racer in racers] == [0, 0]
    assert sum(int(out) for out, _ in ran) == ROOM
    assert await images(planned, user) == ROOM
