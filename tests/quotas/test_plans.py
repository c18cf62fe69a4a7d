"""Versions of plans: created once, kept by the users who have them."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from hortus import quotas
from hortus.core import ids
from hortus.core.db import Database
from hortus.core.settings import Settings
from hortus.quotas.tables import Plan, PlanWindow

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def allowed(plan: quotas.PlanVersion) -> dict[tuple[str, str], int | None]:
    return {(each.kind, each.window): each.limit for each in plan.terms.windows}


async def test_the_defaults_are_those_of_the_product(planned: Database):
    async with planned.snapshot() as tx:
        basic, pro = await quotas.offered_plans(tx)
    assert (basic.name, basic.version, basic.terms.monthly_credits) == ("basic", 1, 0)
    assert set(basic.terms.prices.values()) == {0}
    assert allowed(basic) == {
        ("chat", "day"): 5,
        ("text", "day"): 5,
        ("text", "month"): 50,
        ("image", "month"): 5,
        ("video", "month"): 1,
    }
    assert (pro.name, pro.terms.prices) == ("pro", {"INR": 50000, "USD": 900})
    assert pro.terms.monthly_credits == 2_000_000_000
    assert allowed(pro) == {
        ("chat", "day"): 1000,
        ("text", "day"): 500,
        ("image", "month"): 1600,
        ("video", "month"): 60,
    }


async def test_a_start_changes_nothing_until_the_defaults_change(planned: Database):
    user = ids.new()
    async with planned.transaction() as tx:
        await quotas.ensure_plans(tx, Settings(), quotas.PlanSettings())
        await quotas.set_plan(tx, user, name="pro")
        await quotas.ensure_plans(tx, Settings(basic_daily_limit=7, pro_daily_limit=0), quotas.PlanSettings())
        basic, pro = await quotas.offered_plans(tx)
        assert (basic.version, allowed(basic)["chat", "day"]) == (2, 7)
        assert (pro.version, allowed(pro)["chat", "day"]) == (2, 0)
        assert (await quotas.plan_of(tx, user)).version == 1  # a buyer keeps what they bought
        assert (await quotas.plan_of(tx, ids.new())).version == 2


async def test_what_an_operator_published_outlives_a_restart(planned: Database):
    async with planned.transaction() as tx:
        generous = quotas.PlanTerms("basic", "Basic", {"INR": 0}, 0, (quotas.WindowTerms("chat", "day", None),))
        assert (await quotas.publish_plan(tx, generous)).version == 2
        await quotas.ensure_plans(tx, Settings(), quotas.PlanSettings())
        assert (await quotas.plan_of(tx, ids.new())).terms == generous


async def test_processes_that_start_together_make_each_plan_once(database_url: str):
    databases = [Database(database_url, pool_size=2) for _ in range(4)]

    async def start(database: Database) -> None:
        async with database.transaction() as tx:
            await quotas.ensure_plans(tx, Settings(), quotas.PlanSettings())

    await asyncio.gather(*(start(database) for database in databases))
    async with databases[0].snapshot() as tx:
        assert (await tx.execute(select(func.count()).select_from(Plan))).scalar_one() == 2
        assert (await tx.execute(select(func.count()).select_from(PlanWindow))).scalar_one() == 9
    for database in databases:
        await database.close()


async def test_a_plan_ends_by_itself(planned: Database):
    user = ids.new()
    with time_machine.travel(NOON) as clock:
        async with planned.transaction() as tx:
            until = NOON + timedelta(days=30)
            assert (await quotas.set_plan(tx, user, name="pro", until=until)).until == until
            assert (await quotas.plan_of(tx, user)).until == until
            for n in range(6):
                await quotas.consume(tx, user, "chat", reference=f"c{n}", zone=UTC)
            clock.move_to(until)
            assert (await quotas.plan_of(tx, user)).name == "basic"
            assert (await quotas.usage(tx, user, zone=UTC)).plan == "basic"
            for n in range(5):
                await quotas.consume(tx, user, "chat", reference=f"d{n}", zone=UTC)
            with pytest.raises(quotas.QuotaExceeded):
                await quotas.consume(tx, user, "chat", reference="d5", zone=UTC)


async def test_a_version_can_be_set_by_its_id(planned: Database):
    user = ids.new()
    async with planned.transaction() as tx:
        _, pro = await quotas.offered_plans(tx)
        await quotas.set_plan(tx, user, plan_id=pro.id, until=NOON)
        await quotas.set_plan(tx, user, plan_id=pro.id)
        assert await quotas.plan_of(tx, user) == pro
        with pytest.raises(quotas.UnknownPlan):
            await quotas.set_plan(tx, user, plan_id=ids.new())
        with pytest.raises(quotas.UnknownPlan):
            await quotas.set_plan(tx, user, name="platinum")
        with pytest.raises(ValueError, match="either"):
            await quotas.set_plan(tx, user)


async def test_without_plans_nothing_is_allowed(database: Database):
    async with database.transaction() as tx:
        with pytest.raises(quotas.UnknownPlan, match="ensure_plans"):
            await quotas.consume(tx, ids.new(), "chat", reference="r", zone=UTC)
