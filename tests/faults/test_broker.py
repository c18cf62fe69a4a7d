"""The broker only carries wake-up messages: stopped, emptied or slow, it delays tasks and loses none."""

import asyncio
import random
import time
from pathlib import Path

import pytest
import valkey as client_of
from sqlalchemy import select, update
from tests.faults.worker_cluster import worker_cluster
from tests.helpers.valkey import Valkey

from hortus.core import clock
from hortus.core.db import Database
from hortus.tasks.tables import Task, TaskSchedule

SWEEP = "core.sweep"
"""A periodic task that every process registers."""


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_broker_that_stops_and_comes_back_empty(
    database: Database, database_url: str, valkey: Valkey, tmp_path: Path, full: bool, record
):
    each = 100 if full else 20
    async with worker_cluster(database, database_url, valkey.url, tmp_path) as here:
        await here.add(number=2)
        await here.want(range(each), 0.2)
        await asyncio.to_thread(valkey.stop)
        await here.want(range(each, 2 * each), 0.2)  # no process can be notified
        await asyncio.sleep(3)
        await asyncio.to_thread(valkey.start)
        since = time.monotonic()
        await here.want(range(2 * each, 3 * each), 0.2)
        await here.done(3 * each, within=60)
        record("broker stopped, and back without its messages", f"{3 * each} tasks", time.monotonic() - since)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_workers_that_hold_messages_outlive_a_restart_of_the_broker(
    database: Database, database_url: str, valkey: Valkey, tmp_path: Path, record
):
    async with worker_cluster(database, database_url, valkey.url, tmp_path) as here:
        workers = await here.add(number=2, WORKER_QUEUES="interactive=4,maintenance=1")
        await here.want(range(8), 5)
        await here.started(8)
        await asyncio.to_thread(valkey.stop)
        await asyncio.sleep(3)  # they meet a closed port, more than once
        await asyncio.to_thread(valkey.start)
        since = time.monotonic()
        await here.want(range(8, 16), 0.2)
        await here.done(16, within=40)
        record("broker restarted under messages that are held", "8 tasks", time.monotonic() - since)
        await asyncio.sleep(1)
        assert all(worker.runs for worker in workers), workers[0].log()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_broker_that_forgets(
    database: Database, database_url: str, valkey: Valkey, tmp_path: Path, full: bool, rng: random.Random, record
):
    number = 200 if full else 30
    async with worker_cluster(database, database_url, valkey.url, tmp_path) as here:
        await here.add(number=2)
        broker = client_of.Valkey.from_url(valkey.url)
        for start in range(0, number, 10):
            await here.want(range(start, start + 10), 0.1)
            await asyncio.sleep(rng.uniform(0, 0.1))
            await asyncio.to_thread(broker.flushall)
        since = time.monotonic()
        await here.done(number, within=60)
        broker.close()
        record("broker flushed while it carries", f"{number // 10} times, {number} tasks", time.monotonic() - since)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_broker_that_takes_its_time(
    database: Database, database_url: str, valkey: Valkey, tmp_path: Path, full: bool, record
):
    number, pauses = (100, 5) if full else (20, 1)
    async with worker_cluster(database, database_url, valkey.url, tmp_path) as here:
        await here.add(number=2)
        broker = client_of.Valkey.from_url(valkey.url)
        for _ in range(pauses):
            await asyncio.to_thread(broker.execute_command, "CLIENT", "PAUSE", 3000, "ALL")
            before = time.monotonic()
            await here.want(range(number * _, number * (_ + 1)))
            assert time.monotonic() - before < 2  # enqueuing does not wait for the broker
            await asyncio.sleep(3)
        since = time.monotonic()
        await here.done(number * pauses, within=60)
        broker.close()
        record("broker answers after 3 s", f"{pauses} times, {number * pauses} tasks", time.monotonic() - since)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_two_schedulers_and_celery_beside_them(
    database: Database, database_url: str, valkey: Valkey, tmp_path: Path, full: bool, record
):
    periods = 8 if full else 3
    async with worker_cluster(database, database_url, valkey.url, tmp_path) as here:
        await here.add("scheduler", number=2)
        await here.add(number=1)  # a worker schedules, too
        await ran(database, 1)
        for period in range(periods):
            async with database.transaction() as tx:
                await tx.execute(update(TaskSchedule).where(TaskSchedule.name == SWEEP).values(next_at=clock.EPOCH))
            await ran(database, period + 2)
            await asyncio.sleep(2)  # every scheduler looks at least once more
            await ran(database, period + 2)
        record("scheduler three times", f"{periods} periods, each once", None)


async def ran(database: Database, number: int) -> None:
    """Wait until the periodic task has run so often; never more."""
    query = select(Task.status).where(Task.name == SWEEP)
    async with asyncio.timeout(60):
        while True:
            async with database.snapshot() as tx:
                found = (await tx.execute(query)).scalars().all()
            assert len(found) <= number
            if [status for status in found if status == "done"] == ["done"] * number:
                return
            await asyncio.sleep(0.1)
