"""Celery workers as processes on a real broker."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.faults.worker_cluster import worker_cluster
from tests.helpers.programs import skip_without
from tests.helpers.rabbitmq import RabbitMQ, found
from tests.helpers.valkey import Valkey

from hortus.core.db import Database
from hortus.tasks.engines.celery_broker import make_app


async def test_two_workers_do_each_task_once(database: Database, database_url: str, valkey: Valkey, tmp_path: Path):
    async with worker_cluster(database, database_url, valkey.url, tmp_path) as here:
        await here.add(number=2)
        await here.want(range(60))
        await asyncio.gather(*(here.want([number]) for number in range(60, 80)))
        await here.done(80)
        assert len(here.noted("start")) == 80


@pytest.fixture
def rabbit(tmp_path: Path) -> Iterator[RabbitMQ]:
    """A RabbitMQ server for one test."""
    if found() is None:
        skip_without("rabbitmq-server", "Celery on RabbitMQ")
    server = RabbitMQ(tmp_path / "rabbit")
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_rabbitmq_works_and_may_restart(database: Database, database_url: str, rabbit: RabbitMQ, tmp_path: Path):
    async with worker_cluster(database, database_url, rabbit.url, tmp_path / "site") as here:
        await here.add(number=2)
        await here.want(range(30))
        await here.done(30)
        await asyncio.to_thread(rabbit.stop)
        await here.want(range(30, 60))
        await asyncio.to_thread(rabbit.start)
        await here.want(range(60, 90))
        await here.done(90, within=60)
        assert len(here.noted("start")) == 90


async def test_celerys_own_tools_see_the_workers(database: Database, database_url: str, valkey: Valkey, tmp_path: Path):
    """The inspection commands and events that Flower uses: pool, queues, an event for each handled message."""
    app = make_app(valkey.url, {})
    seen: list[str] = []
    async with worker_cluster(database, database_url, valkey.url, tmp_path) as here:
        await here.add(WORKER_QUEUES="interactive=3,media=1")

        def look() -> tuple[dict, dict]:
            inspect = app.control.inspect(timeout=5, limit=1)
            while not (served := inspect.active_queues()):  # it may not listen to commands yet
                continue
            stats = inspect.stats()
            app.control.enable_events()
            return served, stats

        queues, stats = await asyncio.to_thread(look)

        over = threading.Event()

        def subscribe() -> None:
            """Until stopped; heartbeats come all the time."""
            with app.connection_for_read() as connection:
                receiver = app.events.Receiver(connection, handlers={"*": lambda event: seen.append(event["type"])})
                for _ in receiver.itercapture(limit=None, timeout=20, wakeup=True):
                    if over.is_set():
                        return

        listening = asyncio.create_task(asyncio.to_thread(subscribe))
        try:
            await has_come("worker-heartbeat", seen)  # before, events would be lost on us
            await here.want(range(5))
            await here.done(5)
            await has_come("task-succeeded", seen)
        finally:
            over.set()
            await listening
    ((worker, served),) = queues.items()
    assert {queue["name"] for queue in served} == {"hortus.interactive", "hortus.media"}
    assert stats[worker]["pool"]["max-concurrency"] >= 4
    assert {"task-received", "task-succeeded"} <= set(seen)


async def has_come(event: str, seen: list[str]) -> None:
    """Wait until an event of that type was seen."""
    try:
        async with asyncio.timeout(30):
            while event not in seen:
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"no {event}: {Counter(seen)}") from None
