"""Bulk statements have the effect of single-row statements, on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from tests.helpers.query_plans import query_plan

from hortus.core import clock, ids
from hortus.core.db import Database
from hortus.core.db.bulk import bulk_insert, in_json
from hortus.generation.tables import Generation
from hortus.tasks.tables import Task, TaskSchedule

INSERT = bulk_insert(
    Task, "id", "name", "queue", "payload", "fair_round", "key", "created_at", beside={"delay": "double precision"},
    where_new=True, status="'queued'", priority="0", attempts="0", max_attempts="1", fence="0", request_id="d.name",
    run_at="{later}",
)  # fmt: skip


def row(name: str, delay: float = 0.0, key: str | None = None) -> dict[str, object]:
    payload = {"said": 'Olá "وحش"\n\'; --', "listed": [1, None, {"deep": 2.5}], "empty": {}}
    born = {"id": ids.new(), "created_at": clock.now(), "fair_round": 2**31 - 1}
    return {**born, "name": name, "queue": "mail", "payload": payload, "key": key, "delay": delay}


async def test_every_type_of_column_is_stored(database: Database):
    rows = [row("now"), row("later", 90.5)]
    async with database.transaction() as tx:
        assert (await INSERT.run(tx, rows)).rowcount == 2
    async with database.snapshot() as tx:
        kept = (await tx.execute(select(Task).order_by(Task.id))).scalars().all()
    for made, found in zip(rows, kept, strict=True):
        assert {name: getattr(found, name) for name in made if name != "delay"} == {
            name: value for name, value in made.items() if name != "delay"
        }
    now, later = kept
    assert timedelta(seconds=90) < later.run_at - now.run_at < timedelta(seconds=95)
    assert abs(now.run_at - clock.now()) < timedelta(minutes=1)


async def test_existing_rows_are_skipped(database: Database):
    async with database.transaction() as tx:
        assert (await INSERT.run(tx, [row("one", key="same"), row("two", key="same")])).rowcount == 1
        assert (await INSERT.run(tx, [row("three", key="same"), row("four", key="other")])).rowcount == 1
    async with database.snapshot() as tx:
        assert set((await tx.execute(select(Task.key))).scalars()) == {"same", "other"}


async def test_an_existing_row_fails_the_transaction_unless_it_may_be_skipped(database: Database):
    strict = bulk_insert(TaskSchedule, "name", "next_at")
    rows = [{"name": "once", "next_at": clock.now()}]
    async with database.transaction() as tx:
        assert (await strict.run(tx, rows)).rowcount == 1
    with pytest.raises(IntegrityError):
        async with database.transaction() as tx:
            await strict.run(tx, rows)


async def test_in_json_is_in(database: Database):
    rows = [row("a"), row("b"), row("c")]
    wanted = {str(each["id"]) for each in rows[:2]}
    async with database.transaction() as tx:
        await INSERT.run(tx, rows)
    async with database.snapshot() as tx:
        query = select(Task.id)
        assert set((await tx.execute(query.where(in_json(Task.id, [*wanted, "'", "nobody's"])))).scalars()) == wanted
        assert (await tx.execute(query.where(in_json(Task.id, [])))).scalars().all() == []
        texts = {str(query.where(in_json(Task.id, ["x"] * number)).compile(database.engine)) for number in (1, 2, 50)}
    assert len(texts) == 1


async def test_in_json_uses_the_index(database: Database):
    query = select(func.count()).select_from(Generation).where(in_json(Generation.id, ["a", "b"]))
    async with database.transaction() as tx:
        compiled = str(query.compile(database.engine, compile_kwargs={"literal_binds": True}))
        plan = await query_plan(tx, compiled, without=["seqscan", "hashjoin", "mergejoin"])
    assert "pk_generations" in plan or "sqlite_autoindex_generations" in plan, plan
