"""With many thousand tasks, claiming and enqueueing use indexes and never scan the table."""

from typing import Any

import pytest
from sqlalchemy import event, insert, text
from tests.helpers.query_plans import query_plan

from hortus import tasks
from hortus.core import clock, ids
from hortus.core.db import Database
from hortus.tasks import queue
from hortus.tasks.registry import ClaimedTask
from hortus.tasks.tables import Task

ROWS = 4000


async def nothing(_resources: object, _task: ClaimedTask) -> None:
    """Succeed at once."""


async def fill(database: Database) -> None:
    rows = [
        {
            "id": ids.new(), "name": "x", "queue": "interactive", "payload": {}, "priority": 0, "fair_round": number,
            "status": "queued" if number % 4 else "done", "run_at": clock.EPOCH, "attempts": 0, "max_attempts": 5,
            "fence": 0, "user_id": f"u{number % 500}", "request_id": "-", "created_at": clock.now(),
        }
        for number in range(ROWS)
    ]  # fmt: skip
    async with database.transaction() as tx:
        await tx.execute(insert(Task), rows)
        await tx.execute(text("ANALYZE"))


@pytest.fixture
def statements(database: Database) -> list[tuple[str, Any]]:
    """The statements sent to the database, with their values."""
    recorded: list[tuple[str, Any]] = []

    @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def note(_connection, _cursor, statement, parameters, _context, _many) -> None:
        if not statement.startswith("BEGIN"):
            recorded.append((statement, parameters))

    return recorded


async def plans(database: Database, recorded: list[tuple[str, Any]]) -> list[str]:
    found = []
    async with database.transaction() as tx:
        for statement, values in list(recorded):
            found.append(await query_plan(tx, statement, values, without=("seqscan",)))
    return found


async def test_a_claim_reads_only_the_rows_it_claims(database: Database, statements):
    await fill(database)
    statements.clear()
    async with database.transaction() as tx:
        await queue.claim(tx, "interactive", 4, worker="w", lease=30)
    (plan,) = await plans(database, statements)
    assert "ix_tasks_to_claim" in plan, plan
    assert "ix_tasks_leased" in plan, plan
    assert "SCAN tasks" not in plan, plan
    assert "Seq Scan on tasks" not in plan, plan
    if database.dialect == "sqlite":
        waiting = plan[plan.index("ix_tasks_to_claim") :]
        assert "TEMP B-TREE" not in waiting.partition("\n")[2].partition("\n")[0], plan


async def test_a_fair_sharing_round_is_found_by_index(database: Database, statements, register):
    task_type = register(nothing)
    await fill(database)
    statements.clear()
    async with database.transaction() as tx:
        await tasks.enqueue(tx, task_type, {}, user_id="u7")
    looks = [(sql, values) for sql, values in statements if sql.startswith("SELECT")]
    (plan,) = await plans(database, looks)
    assert "ix_tasks_of_user" in plan, plan
    assert "ix_tasks_to_claim" in plan, plan
    assert "SCAN tasks" not in plan, plan
    assert "Seq Scan on tasks" not in plan, plan
