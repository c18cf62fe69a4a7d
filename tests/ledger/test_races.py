"""Races with real commits: of N calls for k, exactly k succeed, and nothing deadlocks."""

import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from hortus import ledger
from hortus.core import ids
from hortus.core.db import Database
from hortus.core.db.batch import Batch
from hortus.core.settings import Settings
from hortus.ops.configuration import read as read_configuration

LASTS = timedelta(minutes=5)
ROOM = 5


@pytest.fixture
async def databases(database_url: str) -> AsyncIterator[list[Database]]:
    """Three pools on one database, as three processes would have."""
    opened = [Database(database_url, pool_size=4) for _ in range(3)]
    for each in opened:
        each.context.configuration = read_configuration(Settings(_env_file=None))
    yield opened
    for database in opened:
        await database.close()


async def fund(database: Database, *users: str, amount: int) -> None:
    async with database.transaction() as tx:
        for user in users:
            # In two grants, so that holds cross from one to the other.
            await ledger.grant(tx, user, 2, reference=ids.new(), reason="", priority=ledger.PRIORITY_PLAN)
            await ledger.grant(tx, user, amount - 2, reference=ids.new(), reason="")


async def check(database: Database, user: str, expected: ledger.Balance) -> None:
    async with database.snapshot() as tx:
        assert await ledger.balance(tx, user) == expected
        assert await ledger.check_invariants(tx) == []


async def test_single_transactions_let_exactly_five_of_200_through(databases: list[Database]):
    user = ids.new()
    await fund(databases[0], user, amount=ROOM)

    async def attempt(number: int) -> bool:
        try:
            async with databases[number % 3].transaction() as tx:
                await ledger.reserve(tx, user, 1, reference=f"r{number}", lasts=LASTS)
        except ledger.InsufficientCredits:
            return False
        return True

    assert sum(await asyncio.gather(*(attempt(number) for number in range(200)))) == ROOM
    await check(databases[0], user, ledger.Balance(5, 5))


async def test_batches_let_exactly_five_of_200_through(databases: list[Database]):
    user = ids.new()
    await fund(databases[0], user, amount=ROOM)
    batches = [Batch(database, ledger.reserve_many, max_items=16) for database in databases]
    holds = [ledger.Hold(user, 1, f"r{number}", LASTS) for number in range(200)]
    calls = (batches[number % 3](hold) for number, hold in enumerate(holds))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(answer is None for answer in answers) == ROOM
    assert sum(isinstance(answer, ledger.InsufficientCredits) for answer in answers) == 195
    await check(databases[0], user, ledger.Balance(5, 5))


async def test_one_reference_is_reserved_and_closed_once(databases: list[Database]):
    user = ids.new()
    await fund(databases[0], user, amount=50)
    reserve = [Batch(database, ledger.reserve_many) for database in databases]
    answers = await asyncio.gather(
        *(reserve[n % 3](ledger.Hold(user, 2, "same", LASTS)) for n in range(30)), return_exceptions=True
    )
    assert sum(answer is None for answer in answers) == 1
    assert sum(isinstance(answer, ledger.AlreadyReserved) for answer in answers) == 29
    close = [Batch(database, ledger.close_many) for database in databases]
    ends = [ledger.Settlement("same"), ledger.Release("same")] * 15
    closed = await asyncio.gather(*(close[n % 3](end) for n, end in enumerate(ends)))
    assert sum(closed) == 1
    async with databases[0].snapshot() as tx:
        assert (await ledger.balance(tx, user)).held == 0
        assert await ledger.check_invariants(tx) == []


async def test_the_first_grants_of_a_user_do_not_collide(databases: list[Database]):
    user = ids.new()

    async def attempt(number: int) -> bool:
        async with databases[number % 3].transaction() as tx:
            return await ledger.grant_signup_bonus(tx, user)

    assert sum(await asyncio.gather(*(attempt(number) for number in range(30)))) == 1
    await check(databases[0], user, ledger.Balance(ledger.SIGNUP_BONUS, 0))


async def test_batches_over_the_same_users_do_not_deadlock(databases: list[Database]):
    users = [ids.new() for _ in range(12)]
    await fund(databases[0], *users, amount=1000)
    chance = random.Random(7)
    failures: list[BaseException] = []

    async def work(database: Database) -> None:
        for _ in range(8):
            shuffled = chance.sample(users, len(users))
            holds = [ledger.Hold(user, 3, ids.new(), LASTS) for user in shuffled]
            try:
                async with database.transaction() as tx:
                    assert await ledger.reserve_many(tx, holds) == [None] * len(holds)
                chance.shuffle(holds)
                async with database.transaction() as tx:
                    closed = await ledger.close_many(tx, [ledger.Settlement(hold.reference, 1) for hold in holds])
                    assert closed == [True] * len(holds)
            except Exception as error:
                failures.append(error)

    async def sweep(database: Database) -> None:
        for _ in range(8):
            async with database.transaction() as tx:
                await ledger.expire_reservations(tx)
                await ledger.expire_grants(tx)

    await asyncio.gather(*(work(databases[n % 3]) for n in range(6)), sweep(databases[0]))
    assert failures == []
    await check(databases[0], users[0], ledger.Balance(1000 - 48, 0))


def start_racer(url: str, user: str) -> subprocess.Popen[str]:
    program = [sys.executable, str(Path(__file__).with_name("racer.py")), url, user, "50"]
    return subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def test_two_processes_let_exactly_five_through(database_url: str, database: Database):
    user = ids.new()
    await fund(database, user, amount=ROOM)
    racers = [start_racer(database_url, user) for _ in range(2)]
    ran = await asyncio.gather(*(asyncio.to_thread(racer.communicate, "go\n", timeout=60) for racer in racers))
    assert [racer.returncode for racer in racers] == [0, 0]
    assert sum(int(out) for out, _ in ran) == ROOM
    await check(database, user, ledger.Balance(5, 5))
