"""Requeue and cancel: once, never beside a live task of the same key; effects of a late worker are not committed."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, text

from hortus import tasks
from hortus.core import ids
from hortus.core.db import Database, Tx
from hortus.core.db.paging import PageRequest
from hortus.core.resources import Resources
from hortus.tasks import queue
from hortus.tasks.registry import ClaimedTask, Periodic, TaskType
from hortus.tasks.tables import Task


async def nothing(_resources: Resources, _task: ClaimedTask) -> None:
    """Succeed at once."""


async def claim(database: Database, task_type: TaskType) -> list[ClaimedTask]:
    async with database.transaction() as tx:
        return await queue.claim(tx, task_type.queue, 10, worker="w", lease=30)


async def dead(database: Database, resources: Resources, task_type: TaskType, **options: Any) -> ClaimedTask:
    async with database.transaction() as tx:
        await tasks.enqueue(tx, task_type, {"id": "x"}, **options)
    (task,) = await claim(database, task_type)
    async with database.transaction() as tx:
        await queue.dead_letter(tx, resources, task, "broken")
    return task


async def row_of(database: Database, task_id: str) -> Task:
    async with database.snapshot() as tx:
        return (await tx.execute(select(Task).where(Task.id == task_id))).scalar_one()


async def requeued(database: Database, task_id: str) -> bool:
    try:
        async with database.transaction() as tx:
            await tasks.requeue(tx, task_id)
    except (tasks.TaskNotDead, tasks.TaskAlreadyQueued):
        return False
    return True


async def test_requeues_at_once_count_once(database: Database, resources: Resources, register):
    task_type = register(nothing)
    task = await dead(database, resources, task_type)
    assert sum(await asyncio.gather(*(requeued(database, task.id) for _ in range(8)))) == 1
    assert [each.id for each in await claim(database, task_type)] == [task.id]


async def test_a_dead_letter_is_not_requeued_beside_a_live_task_of_its_key(
    database: Database, resources: Resources, register
):
    task_type = register(nothing)
    twins = [await dead(database, resources, task_type, key="once") for _ in range(4)]
    assert sum(await asyncio.gather(*(requeued(database, task.id) for task in twins))) == 1
    (run_child,) = await claim(database, task_type)
    left = next(task for task in twins if task.id != run_child.id)
    with pytest.raises(tasks.TaskAlreadyQueued):
        async with database.transaction() as tx:
            await tasks.requeue(tx, left.id)
    with pytest.raises(tasks.TaskNotFound):
        async with database.transaction() as tx:
            await tasks.requeue(tx, ids.new())


async def test_cancelling_ends_the_lease_and_calls_on_dead_letter(database: Database, resources: Resources, register):
    settled: list[str] = []

    async def settle(_tx: Tx, _resources: Resources, task: ClaimedTask) -> None:
        settled.append(task.payload["id"])

    task_type = register(nothing, on_dead_letter=settle)
    async with database.transaction() as tx:
        await tasks.enqueue(tx, task_type, {"id": "running"})
    (running,) = await claim(database, task_type)
    async with database.transaction() as tx:
        await tasks.cancel(tx, resources, running.id)
    assert settled == ["running"]
    with pytest.raises(tasks.LeaseLost):
        async with database.transaction() as tx:
            await queue.finish(tx, running)
    async with database.transaction() as tx:
        assert await queue.renew(tx, [running], 30) == set()
        assert not await queue.was_closed(tx, running)
    with pytest.raises(tasks.TaskEnded):
        async with database.transaction() as tx:
            await tasks.cancel(tx, resources, running.id)
    assert settled == ["running"]
    assert not await requeued(database, running.id)
    assert await claim(database, task_type) == []


async def test_the_secret_payload_of_a_cancelled_task_is_erased(database: Database, resources: Resources, register):
    task_type = register(nothing, erase_payload=True)
    async with database.transaction() as tx:
        await tasks.enqueue(tx, task_type, {"token": "secret"})
    async with database.snapshot() as tx:
        (row,) = (await tasks.find_tasks(tx, PageRequest(), status="queued")).items
    assert tasks.hides_payload(row)
    async with database.transaction() as tx:
        await tasks.cancel(tx, resources, row.id)
    assert (await row_of(database, row.id)).payload == {}


async def test_a_dead_periodic_task_is_enqueued_again_and_its_dead_letter_deleted(
    database: Database, resources: Resources, register
):
    task_type = register(nothing, periodic=True)
    for _ in range(2):
        async with database.transaction() as tx:
            await tx.execute(text("DELETE FROM task_schedules"))  # its time has come
            assert await queue.enqueue_due(tx, [Periodic(task_type, 60)]) == [task_type.name]
        (task,) = await claim(database, task_type)
        async with database.transaction() as tx:
            await queue.dead_letter(tx, resources, task, "broken")
    async with database.transaction() as tx:
        assert await queue.sweep_tasks(tx) == 0  # kept for an operator
        await tx.execute(text("UPDATE tasks SET finished_at = '2026-01-01 00:00:00.000000' WHERE status = 'dead'"))
        assert await queue.sweep_tasks(tx) == 2


async def test_tasks_are_listed_by_status_queue_and_name(database: Database, resources: Resources, register):
    task_type, other = register(nothing), register(nothing, queue="media")
    died = [(await dead(database, resources, task_type)).id for _ in range(3)]
    async with database.transaction() as tx:
        await tasks.enqueue(tx, other, {})
    async with database.snapshot() as tx:

        async def found(**filters: Any) -> list[str]:
            return [row.id for row in (await tasks.find_tasks(tx, PageRequest(), **filters)).items]

        assert await found(status="dead") == died[::-1]
        assert await found(status="dead", queue="media") == []
        assert len(await found(name=other.name)) == len(await found(status="queued")) == 1
        assert len(await found()) == 4
        first = await tasks.find_tasks(tx, PageRequest(2), status="dead")
        rest = await tasks.find_tasks(tx, PageRequest(2, first.next_cursor), status="dead")
    assert [row.id for row in (*first.items, *rest.items)] == died[::-1]
