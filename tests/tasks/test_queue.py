"""Task rows on both databases: enqueue, claim, expire, dead-letter and sweep."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select, update

from hortus import tasks
from hortus.core import clock, context
from hortus.core.db import Database, db_now
from hortus.core.db.paging import PageRequest
from hortus.core.resources import Resources
from hortus.tasks import queue
from hortus.tasks.registry import ClaimedTask
from hortus.tasks.tables import Task


async def nothing(_resources: Resources, _task: ClaimedTask) -> None:
    """Succeed at once."""


async def rows(database: Database) -> list[Task]:
    async with database.snapshot() as tx:
        return list((await tx.execute(select(Task).order_by(Task.id))).scalars())


async def claim(
    database: Database, task_type: tasks.TaskType, slots: int = 10, lease: float = 30.0
) -> list[ClaimedTask]:
    async with database.transaction() as tx:
        return await queue.claim(tx, task_type.queue, slots, worker="w", lease=lease)


async def test_a_task_exists_if_and_only_if_its_transaction_commits(database: Database, register):
    task_type = register(nothing)
    rung: list[tuple[str, int]] = []

    def subscriber(name: str, ids: Sequence[str]) -> None:
        rung.append((name, len(ids)))

    queue.subscribe(subscriber)
    try:
        with pytest.raises(RuntimeError, match="changed my mind"):
            async with database.transaction() as tx:
                await tasks.enqueue(tx, task_type, {"n": 1})
                raise RuntimeError("changed my mind")
        assert (await rows(database), rung) == ([], [])
        async with database.transaction() as tx:
            await tasks.enqueue(tx, task_type, {"n": 2})
            assert rung == []
        assert rung == [("interactive", 1)]
    finally:
        queue.unsubscribe(subscriber)
    assert [row.payload for row in await rows(database)] == [{"n": 2}]


async def test_claims_go_by_priority_then_age_and_never_exceed_the_slots(database: Database, register):
    task_type = register(nothing)
    async with database.transaction() as tx:
        for number, priority in enumerate((0, -5, 0, -9)):
            await tasks.enqueue(tx, task_type, {"n": number}, priority=priority)
        await tasks.enqueue(tx, task_type, {"n": "later"}, delay=60)
    taken = [[task.payload["n"] for task in await claim(database, task_type, slots=2)] for _ in range(3)]
    assert [sorted(each, key=str) for each in taken] == [[1, 3], [0, 2], []]


async def test_a_user_does_not_wait_behind_all_tasks_of_another(database: Database, register):
    task_type = register(nothing)

    async def add(user: str, number: int) -> None:
        async with database.transaction() as tx:
            await tasks.enqueue_many(tx, [tasks.NewTask(task_type, {"n": n}, user_id=user) for n in range(number)])

    async def served(slots: int) -> Counter[str]:
        taken = await claim(database, task_type, slots=slots)
        async with database.transaction() as tx:
            users = await tx.execute(select(Task.user_id).where(Task.id.in_([task.id for task in taken])))
            for task in taken[:-1]:  # the last one runs on
                await queue.finish(tx, task)
            return Counter(users.scalars())

    await add("greedy", 500)
    assert await served(4) == {"greedy": 4}
    await add("second", 3)
    assert await served(4) == {"greedy": 2, "second": 2}
    await add("third", 1)
    await add("greedy", 10)
    assert await served(4) == {"greedy": 2, "second": 1, "third": 1}
    await add("second", 2)
    assert await served(4) == {"greedy": 2, "second": 2}
    assert await served(500) == {"greedy": 500}


async def test_the_tasks_of_a_user_keep_their_order(database: Database, register):
    task_type = register(nothing)
    for number in range(6):
        async with database.transaction() as tx:
            await tasks.enqueue(tx, task_type, {"n": number}, user_id="one" if number % 2 else "other")
    taken = [task.payload["n"] for _ in range(6) for task in await claim(database, task_type, slots=1)]
    assert taken == [0, 1, 2, 3, 4, 5]


async def test_rival_claims_never_share_a_task(database: Database, register):
    task_type = register(nothing)
    async with database.transaction() as tx:
        await tasks.enqueue_many(tx, [tasks.NewTask(task_type, {"n": number}) for number in range(60)])
    claims = await asyncio.gather(*(claim(database, task_type, slots=5) for _ in range(8)))
    assert all(len(each) <= 5 for each in claims)
    taken = [task.id for each in claims for task in each]
    assert len(taken) == len(set(taken)) > 5


async def test_a_live_key_is_unique_and_free_again_afterwards(database: Database, register):
    task_type = register(nothing)

    async def add() -> None:
        async with database.transaction() as tx:
            await tasks.enqueue(tx, task_type, {}, key="only")

    await asyncio.gather(*(add() for _ in range(10)))
    (task,) = await claim(database, task_type)
    await add()
    assert len(await rows(database)) == 1
    async with database.transaction() as tx:
        await queue.finish(tx, task)
    await add()
    assert [row.status for row in await rows(database)] == ["done", "queued"]


async def test_an_expired_lease_is_taken_over_and_the_late_finish_commits_nothing(database: Database, register):
    task_type = register(nothing)
    async with database.transaction() as tx:
        await tasks.enqueue(tx, task_type, {})
    (first,) = await claim(database, task_type, lease=0.05)
    await asyncio.sleep(0.1)
    (second,) = await claim(database, task_type)
    assert (second.id, second.fence, second.attempt) == (first.id, first.fence + 1, 2)
    with pytest.raises(tasks.LeaseLost):
        async with database.transaction() as tx:
            await tasks.enqueue(tx, task_type, {"effect": "of the late one"})
            await queue.finish(tx, first)
    async with database.transaction() as tx:
        assert await queue.renew(tx, [first, second], 30) == {second.id}
        await queue.finish(tx, second)
    assert [(row.status, row.payload) for row in await rows(database)] == [("done", {})]


async def test_a_live_lease_is_left_alone(database: Database, register):
    task_type = register(nothing)
    async with database.transaction() as tx:
        (mine,) = await tasks.claim_now(tx, [tasks.NewTask(task_type, {})], worker="w", lease=30)
    assert await claim(database, task_type) == []
    async with database.transaction() as tx:
        await queue.finish(tx, mine)
    assert [row.status for row in await rows(database)] == ["done"]


async def test_dead_letters_get_all_their_attempts_again(database: Database, resources: Resources, register):
    task_type = register(nothing)
    async with database.transaction() as tx:
        await tasks.enqueue(tx, task_type, {})
    (task,) = await claim(database, task_type)
    async with database.transaction() as tx:
        await queue.dead_letter(tx, resources, task, "x" * 5000)
    async with database.snapshot() as tx:
        (letter,) = await tasks.dead_letters(tx, PageRequest(10, None))
        (count,) = await tasks.counts(tx)
    assert (letter.id, len(letter.error or "")) == (task.id, 2000)
    assert (count["queue"], count["status"], count["count"]) == ("interactive", "dead", 1)
    async with database.transaction() as tx:
        await tasks.requeue(tx, task.id)
    (again,) = await claim(database, task_type)
    assert (again.id, again.attempt) == (task.id, 1)
    with pytest.raises(tasks.TaskNotDead):
        async with database.transaction() as tx:
            await tasks.requeue(tx, task.id)


async def test_the_sweep_deletes_old_done_tasks_only(database: Database, resources: Resources, register: Any):
    task_type = register(nothing)
    async with database.transaction() as tx:
        await tasks.enqueue_many(tx, [tasks.NewTask(task_type, {"n": number}) for number in range(5)])
    done, old, dead, *_ = await claim(database, task_type, slots=4)
    async with database.transaction() as tx:
        await queue.finish(tx, done)
        await queue.finish(tx, old)
        await queue.dead_letter(tx, resources, dead, "no")
        long_ago = update(Task).where(Task.id.in_([old.id, dead.id])).values(finished_at=db_now(-90000))
        await tx.execute(long_ago)
        assert await queue.sweep_tasks(tx) == 1
    left = await rows(database)
    assert sorted(row.status for row in left) == ["dead", "done", "queued", "running"]
    assert old.id not in {row.id for row in left}


async def test_a_task_carries_the_id_of_the_request_that_caused_it(database: Database, register):
    task_type = register(nothing)
    mark = context.request_id.set("r-42")
    try:
        async with database.transaction() as tx:
            await tasks.enqueue(tx, task_type, {})
    finally:
        context.request_id.reset(mark)
    (task,) = await claim(database, task_type)
    assert task.request_id == "r-42"
    assert (await rows(database))[0].created_at <= clock.now()
