"""Task engines on both databases: tasks run once, are retried, dead-lettered, released."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from sqlalchemy import select

from hortus import tasks
from hortus.core import context
from hortus.core.db import Database, Tx
from hortus.core.resources import Resources
from hortus.tasks import EmbeddedEngine, queue
from hortus.tasks.registry import ClaimedTask
from hortus.tasks.tables import Task


@asynccontextmanager
async def running(resources: Resources, number: int = 1, **options) -> AsyncIterator[list[EmbeddedEngine]]:
    given = {"poll": 0.05, "lease": 5.0, **options}
    async with AsyncExitStack() as stack:
        engines = [EmbeddedEngine(resources, **given) for _ in range(number)]
        for engine in engines:
            await engine.start()
            stack.push_async_callback(engine.stop, 0.2)
        yield engines


async def add(resources: Resources, *wanted: tasks.NewTask) -> None:
    async with resources[Database].transaction() as tx:
        await tasks.enqueue_many(tx, wanted)


async def ended(resources: Resources, number: int, seconds: float = 15.0) -> list[Task]:
    """All tasks once `number` of them are done or dead."""
    async with asyncio.timeout(seconds):
        while True:
            async with resources[Database].snapshot() as tx:
                found = list((await tx.execute(select(Task).order_by(Task.id))).scalars())
            if sum(row.status in ("done", "dead") for row in found) >= number:
                return found
            await asyncio.sleep(0.02)


async def test_a_hundred_tasks_and_three_engines_do_each_once(resources: Resources, register):
    seen: Counter[int] = Counter()

    async def handler(_: Resources, task: ClaimedTask) -> None:
        seen[task.payload["n"]] += 1
        await asyncio.sleep(0.005)

    task_type = register(handler)
    async with running(resources, 3, slots={"interactive": 8}):
        await add(resources, *(tasks.NewTask(task_type, {"n": number}) for number in range(100)))
        rows = await ended(resources, 100)
    assert seen == Counter(range(100))
    assert {(row.status, row.attempts, row.fence) for row in rows} == {("done", 1, 1)}


async def test_a_failed_task_is_retried_until_its_attempts_are_used(resources: Resources, register):
    times: list[float] = []

    async def handler(_: Resources, task: ClaimedTask) -> None:
        times.append(time.monotonic())
        raise ValueError(f"attempt {task.attempt}")

    task_type = register(handler, attempts=3, backoff=0.2)
    async with running(resources):
        await add(resources, tasks.NewTask(task_type, {}))
        (row,) = await ended(resources, 1)
    assert (row.status, row.attempts, row.error) == ("dead", 3, "ValueError: attempt 3")
    assert times[1] - times[0] >= 0.09
    assert times[2] - times[1] >= 0.19


def test_the_backoff_doubles_has_jitter_and_a_maximum(register):
    task_type = register(test_the_backoff_doubles_has_jitter_and_a_maximum, backoff=2.0, longest_backoff=300.0)
    for attempt, longest in ((1, 2), (2, 4), (5, 32), (30, 300)):
        waits = [queue.backoff(task_type, attempt) for _ in range(200)]
        assert longest / 2 <= min(waits) < max(waits) <= longest


async def test_retry_schedules_another_attempt(resources: Resources, register):
    attempts: list[int] = []

    async def handler(_: Resources, task: ClaimedTask) -> None:
        attempts.append(task.attempt)
        if len(attempts) < 3:
            raise tasks.Retry(0.05)

    async with running(resources):
        await add(resources, tasks.NewTask(register(handler, backoff=100), {}))
        (row,) = await ended(resources, 1)
    assert (row.status, attempts) == ("done", [1, 2, 3])


async def test_on_dead_letter_runs_in_the_transaction_that_dead_letters_the_task(resources: Resources, register):
    fails = [True]

    async def handler(_: Resources, task: ClaimedTask) -> None:
        raise tasks.PermanentFailure("never")

    async def on_dead_letter(tx: Tx, _: Resources, task: ClaimedTask) -> None:
        await tasks.enqueue(tx, wake, {"of": task.id})
        if fails and fails.pop():
            raise RuntimeError("cannot settle yet")

    async def mourn(_: Resources, task: ClaimedTask) -> None:
        """Succeed at once."""

    wake = register(mourn)
    async with running(resources, lease=0.3):
        await add(resources, tasks.NewTask(register(handler, attempts=5, on_dead_letter=on_dead_letter), {}))
        rows = await ended(resources, 2)
    # The first burial failed as a whole: had its parts been kept, two would mourn.
    assert [(row.status, row.error) for row in rows] == [("dead", "never"), ("done", None)]
    assert rows[1].payload == {"of": rows[0].id}


async def test_a_task_is_stopped_at_its_time_limit(resources: Resources, register):
    stopped = asyncio.Event()

    async def handler(_: Resources, task: ClaimedTask) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    async with running(resources):
        await add(resources, tasks.NewTask(register(handler, time_limit=0.1, attempts=1), {}))
        (row,) = await ended(resources, 1)
    assert stopped.is_set()
    assert (row.status, row.error) == ("dead", "took longer than 0.1 s")


async def test_the_lease_of_a_long_task_is_renewed(resources: Resources, register):
    calls: list[int] = []

    async def handler(_: Resources, task: ClaimedTask) -> None:
        calls.append(task.attempt)
        await asyncio.sleep(1.5)

    async with running(resources, 2, lease=0.6):
        await add(resources, tasks.NewTask(register(handler), {}))
        (row,) = await ended(resources, 1)
    assert (row.status, row.fence, calls) == ("done", 1, [1])


async def test_a_body_whose_lease_was_lost_is_cancelled(resources: Resources, register):
    database = resources[Database]
    task_type = register(ended)
    async with running(resources, slots={}, lease=0.6) as (engine,):
        async with database.transaction() as tx:
            wanted = [tasks.NewTask(task_type, {})]
            (mine,) = await tasks.claim_now(tx, wanted, worker=engine.worker, lease=engine.lease)
        with pytest.raises(tasks.LeaseLost):
            async with engine.holding(mine), asyncio.timeout(10):
                await asyncio.sleep(0.9)  # longer than the lease: the heartbeat kept it
                async with database.transaction() as tx:
                    row = (await tx.execute(select(Task).where(Task.id == mine.id))).scalar_one()
                    assert (row.status, row.fence) == ("running", 1)
                    row.fence = 2
                await asyncio.sleep(60)
        current = asyncio.current_task()
        assert current is not None
        assert current.cancelling() == 0


async def test_finishing_inside_holding_is_no_lost_lease(resources: Resources, register):
    database = resources[Database]
    async with running(resources, slots={}, lease=0.3) as (engine,):
        async with database.transaction() as tx:
            wanted = [tasks.NewTask(register(ended), {})]
            (mine,) = await tasks.claim_now(tx, wanted, worker=engine.worker, lease=engine.lease)
        async with engine.holding(mine):
            async with database.transaction() as tx:
                await queue.finish(tx, mine)
            await asyncio.sleep(0.4)
    (row,) = await ended(resources, 1)
    assert row.status == "done"


async def test_a_stopped_engine_releases_unfinished_tasks(resources: Resources, register):
    started = asyncio.Event()

    async def handler(_: Resources, task: ClaimedTask) -> None:
        started.set()
        await asyncio.sleep(60)

    async with running(resources):
        await add(resources, tasks.NewTask(register(handler), {}))
        await asyncio.wait_for(started.wait(), 5)
    (row,) = await ended(resources, 0)
    assert (row.status, row.attempts, row.lease_until) == ("queued", 0, None)
    async with resources[Database].transaction() as tx:
        (again,) = await queue.claim(tx, "interactive", 1, worker="next", lease=5)
    assert again.attempt == 1


async def test_what_is_due_runs_once_for_two_schedulers(resources: Resources, register):
    runs: list[str] = []

    async def handler(_: Resources, task: ClaimedTask) -> None:
        runs.append(task.id)

    periodic = (tasks.Periodic(register(handler, queue="maintenance", attempts=1), 3600),)
    async with running(resources, 2, periodic=periodic):
        await ended(resources, 1)
        await asyncio.sleep(0.8)  # three more looks at the schedule
    assert len(runs) == 1


async def test_a_task_runs_under_the_id_of_its_request(resources: Resources, register):
    known: list[str] = []

    async def handler(_: Resources, task: ClaimedTask) -> None:
        known.append(context.request_id.get())

    async with running(resources):
        await add(resources, tasks.NewTask(register(handler), {}, request_id="r-7"))
        await ended(resources, 1)
    assert known == ["r-7"]


async def test_a_scheduler_that_was_started_later_is_stopped_too(resources: Resources):
    engine = EmbeddedEngine(resources, slots={}, lease=5.0)
    scheduler = tasks.Scheduler(resources[Database], ())
    async with tasks.run_engine(engine, scheduler, schedule=False, grace=0.2):
        await scheduler.start()
        loop = scheduler._loop
        assert loop is not None
        assert not loop.done()
    assert loop.done()
