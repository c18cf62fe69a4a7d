"""The dashboard of a customer."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, text
from tests.emulators.openai import OpenAIEmulator
from tests.helpers.query_plans import query_plan
from tests.helpers.server import Hortus, ended

from hortus import quotas
from hortus.core import ids
from hortus.core.db import Database
from hortus.core.settings import Settings
from hortus.generation.tables import Generation
from hortus.generation.usage.charts import dashboard_of

ME = ids.new()


@pytest.fixture
async def plans_ready(database: Database) -> Database:
    """A database with the plans of a first start."""
    async with database.transaction() as tx:
        await quotas.ensure_plans(tx, Settings(), quotas.PlanSettings())
    return database


def row(at: datetime, kind: str = "image", status: str = "succeeded", user_id: str = ME) -> Generation:
    """A generation accepted at that moment, for a thousand micro-credits."""
    unique = ids.new()[14:]
    filled: dict[str, Any] = {"params": {}, "route": [], "outputs": [], "attempts": []}
    return Generation(
        id=ids.lowest_at(at)[:14] + unique, user_id=user_id, kind=kind, operation=f"{kind}.generate", status=status,
        progress=100, quality="balanced", prompt="A kite", price=1000, model="m", created_at=at, **filled,
    )  # fmt: skip


async def test_works_are_counted_by_day_and_kind(hortus: Hortus, vendor: OpenAIEmulator):
    client, other = await hortus.customer(), await hortus.customer()
    for who in (client, other):
        assert (await who.post("/api/text/generate", json={"prompt": "A kite"})).status_code == 200
    made = (await client.post("/api/image/generate", json={"prompt": "A kite", "size": "256x256"})).json()
    assert (await ended(client, made["id"]))["status"] == "succeeded"
    page = (await client.get("/api/user/dashboard", params={"days": 7})).json()
    assert (page["days"], page["timezone"]) == (7, "UTC")
    assert [day["date"] for day in page["series"]] == sorted(day["date"] for day in page["series"])
    assert len(page["series"]) == 7
    assert page["series"][-1]["works"] == {"chat": 0, "text": 1, "image": 1, "video": 0}
    assert all(not any(day["works"].values()) for day in page["series"][:-1])
    assert (page["totals"]["works"], page["totals"]["succeeded"], page["totals"]["success_rate"]) == (2, 2, 1.0)
    assert int(page["totals"]["credits"]) >= int(made["price_credits"])
    assert page["usage"] == (await client.get("/api/user/usage")).json()
    assert {insight["code"] for insight in page["insights"]} >= {"busiest_day"}


async def test_an_empty_account_has_an_empty_page_and_bad_ranges_are_refused(hortus: Hortus):
    client = await hortus.customer()
    page = (await client.get("/api/user/dashboard/")).json()
    assert (page["totals"]["works"], page["totals"]["success_rate"], page["totals"]["credits"]) == (0, None, "0")
    assert len(page["series"]) == 30
    assert page["insights"] == []
    for days in ("0", "91", "x", "-1"):
        answer = await client.get("/api/user/dashboard", params={"days": days})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
    assert (await hortus.anonymous().get("/user/dashboard")).status_code == 401


async def test_days_are_those_of_the_quotas_and_others_are_left_out(plans_ready: Database):
    settings = Settings(quota_timezone="Asia/Kolkata")
    now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    midnight = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)  # in Kolkata
    second = timedelta(seconds=1)
    async with plans_ready.transaction() as tx:
        tx.add_all(
            [
                row(midnight),
                row(midnight - second),
                row(midnight - second, status="failed"),
                row(midnight - timedelta(days=1)),
                row(midnight - timedelta(days=1) - second),  # on the day before the first
                row(midnight, user_id=ids.new()),
            ]
        )
    async with plans_ready.snapshot() as tx:
        page = await dashboard_of(tx, settings, ME, 2, at=now)
    assert [(str(day.date), day.works["image"], day.credits) for day in page.series] == [
        ("2026-11-20", 3, 2000),
        ("2026-11-21", 1, 1000),
    ]
    assert (page.totals.failed, page.totals.success_rate, page.totals.credits) == (1, 0.75, 3000)


async def test_insights(plans_ready: Database):
    now = datetime.now(UTC)
    async with plans_ready.transaction() as tx:
        tx.add_all([row(now - timedelta(seconds=n), "video", "failed" if n % 2 else "succeeded") for n in range(6)])
    async with plans_ready.snapshot() as tx:
        page = await dashboard_of(tx, Settings(), ME, 2)
    seen = {insight.code: insight.detail for insight in page.insights}
    assert seen["often_failed"] == "3 of 6 generations of kind video failed; failed ones cost nothing."
    assert seen["most_spent"] == "You spent most on video: 0.003 credits."
    assert seen["credits_run_out"] == "At this pace your credits last 0 more days."


async def test_only_those_days_are_read(plans_ready: Database):
    seen: list[tuple[str, Any]] = []

    @event.listens_for(plans_ready.engine.sync_engine, "before_cursor_execute")
    def note(_connection, _cursor, statement, parameters, _context, _many) -> None:
        if "generations" in statement:
            seen.append((statement, parameters))

    now = datetime.now(UTC)
    async with plans_ready.transaction() as tx:  # enough rows of enough customers, or any index is as good as another
        tx.add_all(
            [row(now - timedelta(hours=n), user_id=user) for user in (ME, *map(str, range(9))) for n in range(60)]
        )
        await tx.flush()
        await tx.execute(text("ANALYZE generations"))
    seen.clear()
    async with plans_ready.transaction() as tx:
        await dashboard_of(tx, Settings(), ME, 30)
    ((statement, given),) = seen
    async with plans_ready.transaction() as tx:
        plan = await query_plan(tx, statement, given, without=("seqscan", "bitmapscan"))
    wanted = (
        r"user_id=\? AND id>\? AND id<\?" if plans_ready.dialect == "sqlite" else r"Cond: \(\(\(user_id.* \(\(id.*>="
    )
    assert re.search(r"ix_generations_of_user(\D|$)", plan), plan
    assert re.search(wanted, plan), plan
