"""Budgets of API keys: never exceeded, restored once, with a permanent history."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from hortus import quotas
from hortus.accounts import Budgets
from hortus.core import ids
from hortus.core.db import Database, Tx
from hortus.core.db.batch import Batch

TEN_CALLS, THIRTY_CREDITS = Budgets(daily_calls=10), Budgets(monthly_credits=30)
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
async def databases(database_url: str, database: Database) -> AsyncIterator[list[Database]]:
    """Three pools on one database, as three processes would have."""
    opened = [database, *(Database(database_url, pool_size=4) for _ in range(2))]
    yield opened
    for each in opened[1:]:
        await each.close()


async def consume_budgets(tx: Tx, spends: Sequence[quotas.BudgetUse]) -> Sequence[Exception | None]:
    return await quotas.consume_budgets(tx, spends, zone=UTC)


async def spend(tx: Tx, key: str, reference: str, credits_: int, budgets: Budgets, at: datetime = NOON):
    (answer,) = await quotas.consume_budgets(tx, [quotas.BudgetUse(reference, key, credits_, budgets)], zone=UTC, at=at)
    return answer


async def history(database: Database, key: str, at: datetime | None = None, days: int = 30) -> quotas.KeyHistory:
    async with database.snapshot() as tx:
        return (await quotas.histories(tx, [key], zone=UTC, days=days, at=at))[key]


@pytest.mark.parametrize(("budgets", "price", "room"), [(TEN_CALLS, 7, 10), (THIRTY_CREDITS, 3, 10)])
async def test_single_transactions_let_exactly_ten_of_100_through(
    databases: list[Database], budgets: Budgets, price: int, room: int
):
    key = ids.new()

    async def attempt(number: int) -> Exception | None:
        async with databases[number % 3].transaction() as tx:
            return (await consume_budgets(tx, [quotas.BudgetUse(f"{key}{number}", key, price, budgets)]))[0]

    answers = await asyncio.gather(*(attempt(number) for number in range(100)))
    assert sum(answer is None for answer in answers) == room
    assert sum(isinstance(answer, quotas.KeyBudgetExceeded) for answer in answers) == 90
    found = (await history(databases[0], key)).current["month"]
    assert found == quotas.KeyUsage(accepted=room, calls=room, credits=room * price)


async def test_batches_let_exactly_ten_of_each_key_through_and_restore_once(databases: list[Database]):
    keys = [ids.new() for _ in range(4)]
    spending = [Batch(database, consume_budgets, max_items=16) for database in databases]
    returning = [Batch(database, quotas.restore_budgets, max_items=4) for database in databases]
    spends = [quotas.BudgetUse(f"{keys[n % 4]}{n}", keys[n % 4], 3, TEN_CALLS) for n in range(160)]
    answers = await asyncio.gather(*(spending[n % 3](each) for n, each in enumerate(spends)), return_exceptions=True)
    through = [each for each, answer in zip(spends, answers, strict=True) if answer is None]
    assert [sum(each.key_id == key for each in through) for key in keys] == [10] * 4
    back = [quotas.BudgetRestore(each.reference, failed=True) for each in through[::2]] * 3
    given = await asyncio.gather(*(returning[n % 3](each) for n, each in enumerate(back)))
    assert sum(given) == 20
    months = [(await history(databases[0], key)).current["month"] for key in keys]
    assert sum(month.calls for month in months) == 20
    assert sum(month.credits for month in months) == 60
    assert sum(month.failures for month in months) == 20
    assert sum(month.accepted for month in months) == 40


async def test_the_error_names_the_budget_and_its_reset(database: Database):
    key = ids.new()
    both = Budgets(daily_calls=1, monthly_calls=2, daily_credits=100, monthly_credits=100)
    async with database.transaction() as tx:
        assert await spend(tx, key, "a", 0, both) is None
        full = await spend(tx, key, "b", 0, both)
        assert isinstance(full, quotas.KeyBudgetExceeded)
        assert full.extra == {
            "budget": "calls", "window": "day", "limit": 1, "used": 1,
            "resets_at": "2026-12-01T00:00:00Z", "retry_after": 43200,
        }  # fmt: skip
        assert full.headers == {"Retry-After": "43200"}
        dear = await spend(tx, key, "c", 101, both)
        assert isinstance(dear, quotas.KeyBudgetExceeded)
        assert (dear.extra["budget"], dear.extra["window"], dear.extra["limit"]) == ("credits", "month", "100")
        assert isinstance(await spend(tx, key, "a", 0, Budgets()), quotas.AlreadyConsumed)
        assert await spend(tx, key, "d", 0, Budgets()) is None
        assert isinstance(await spend(tx, key, "e", 0, Budgets(daily_calls=0)), quotas.KeyBudgetExceeded)


async def test_a_restored_use_is_subtracted_from_its_day(database: Database):
    key, late = ids.new(), NOON + timedelta(hours=14)
    async with database.transaction() as tx:
        for reference, failed in (("kept", False), ("failed", True), ("never", False), ("seen", True)):
            assert await spend(tx, key, reference, 5, Budgets(daily_calls=4)) is None, failed
    async with database.transaction() as tx:
        returns = [
            quotas.BudgetRestore("failed", failed=True),
            quotas.BudgetRestore("never", accepted=False),
            quotas.BudgetRestore("seen", failed=True, keep_call=True),
        ]
        assert await quotas.restore_budgets(tx, returns) == [True] * 3
        assert await quotas.restore_budgets(tx, [*returns, quotas.BudgetRestore("unknown")]) == [False] * 4
        assert await spend(tx, key, "next day", 5, Budgets(daily_calls=1), late) is None
    found = await history(database, key, late, days=3)
    assert found.days == {
        date(2026, 11, 29): quotas.KeyUsage(),
        date(2026, 11, 30): quotas.KeyUsage(accepted=3, calls=2, credits=5, failures=2),
        date(2026, 12, 1): quotas.KeyUsage(accepted=1, calls=1, credits=5),
    }
    assert found.current["month"] == quotas.KeyUsage(accepted=1, calls=1, credits=5)
    left = {(each.kind, each.window): each.remaining for each in quotas.budgets_left(Budgets(3, 0, 4, None), found)}
    assert left == {("calls", "day"): 2, ("credits", "day"): 0, ("calls", "month"): 0, ("credits", "month"): None}
