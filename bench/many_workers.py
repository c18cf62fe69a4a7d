"""Replies per second: by two Celery workers on Valkey and PostgreSQL, by one process, and by plain Celery."""

import asyncio
import itertools
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from bench.celery_baseline import app, sleep
from bench.figures import Figure, at_least, known
from bench.load import process, session, sign_up
from redis.asyncio import Redis
from sqlalchemy import text
from tests.faults.cluster import cluster
from tests.helpers.schema import build
from tests.helpers.valkey import Valkey

from hortus.core.db import Database

VENDOR_SECONDS = 0.1
WORKERS = 2
CONCURRENT = 100 * WORKERS
CUSTOMERS = 25
REPLIES = 2000
BARE_TASKS = 5000
WITHIN = 120.0
LIVE = text("SELECT count(*) FROM generations WHERE status IN ('queued', 'running')")
GOOD = text("SELECT count(*) FROM generations WHERE status = 'succeeded'")


async def measure(folder: Path, postgresql: str) -> list[Figure]:
    """Measure all with the same provider and the same number of slots."""
    valkey = Valkey()
    await asyncio.to_thread(valkey.start)
    try:
        async with process("-m", "tests.emulators.openai", "--delay", str(VENDOR_SECONDS)) as vendor:
            given = {"OPENAI_BASE_URL": f"{vendor}/v1", "OPENAI_API_KEY": "sk", "OPENAI_TEXT_MODEL": "writer"}
            joined = {"CELERY_BROKER_URL": valkey.url, "REDIS_URL": valkey.url}
            many = await replies(folder / "many", postgresql, WORKERS, {**given, **joined})
            one = await replies(folder / "one", f"sqlite:///{folder / 'one.db'}", 0, given)
        bare = await plain_celery(valkey.url.replace("/0", "/1"))
    finally:
        await asyncio.to_thread(valkey.stop)
    return [
        known(f"replies accepted by one API process, {WORKERS} Celery workers on PostgreSQL", many[0], "/s"),
        known(f"... completed, the vendor takes {VENDOR_SECONDS * 1000:.0f} ms, {CONCURRENT} at once", many[1], "/s"),
        known("replies accepted by `hortus up` on SQLite", one[0], "/s"),
        known("... completed", one[1], "/s"),
        known(
            f"tasks of bare Celery that sleep {VENDOR_SECONDS * 1000:.0f} ms, as many workers and threads", bare, "/s"
        ),
        at_least("completed replies relative to bare tasks", many[1] / bare, 0.6, "times"),
    ]


async def replies(folder: Path, url: str, workers: int, settings: dict[str, str]) -> tuple[float, float]:
    """Accepted and completed replies per second when REPLIES messages are sent as fast as they are accepted."""
    await build(url)
    database = Database(url)
    interactive = f"interactive={CONCURRENT // (workers or 1)},mail=2,maintenance=2"
    given = {"LEASE_SECONDS": "60", "WORKER_QUEUES": interactive, **settings}
    try:
        async with cluster(database, url, folder, **given) as here, session(CONCURRENT) as http:
            server = await here.add("serve" if workers else "up")
            await here.add_workers(workers)
            rooms = await open_rooms(http, server.url, database)
            await send_messages(http, rooms, CONCURRENT)  # so that every process is warm
            await wait_until_ended(database)
            before = await count(database, GOOD)
            started = time.perf_counter()
            await send_messages(http, rooms, REPLIES)
            accepted = time.perf_counter() - started
            await wait_until_ended(database)
            completed = time.perf_counter() - started
            good = await count(database, GOOD) - before
    finally:
        await database.close()
    if good != REPLIES:
        raise RuntimeError(f"{REPLIES - good} replies failed")
    return REPLIES / accepted, REPLIES / completed


async def open_rooms(http: aiohttp.ClientSession, url: str, database: Database) -> list[tuple[str, dict[str, str]]]:
    """A chatroom for each concurrent message, and the headers of its owner."""
    rooms = []
    for headers in await sign_up(http, url, database, CUSTOMERS):
        for _ in range(CONCURRENT // CUSTOMERS):
            async with http.post(f"{url}/api/chatroom", json={"title": "Bench"}, headers=headers) as answer:
                answer.raise_for_status()
                rooms.append((f"{url}/api/chatroom/{(await answer.json())['id']}/message", headers))
    return rooms


async def send_messages(http: aiohttp.ClientSession, rooms: list[tuple[str, dict[str, str]]], number: int) -> None:
    """Send that many messages; the next one of a chatroom when its last is accepted."""
    left = itertools.repeat(None, number)

    async def write(address: str, headers: dict[str, str]) -> None:
        for _ in left:
            async with http.post(address, json={"content": "How tall is it?"}, headers=headers) as answer:
                if answer.status != 202:
                    raise RuntimeError(await answer.text())
                await answer.read()

    await asyncio.gather(*(write(*room) for room in rooms))


async def wait_until_ended(database: Database) -> None:
    """Wait until no generation is queued or running."""
    async with asyncio.timeout(WITHIN):
        while await count(database, LIVE):  # noqa: ASYNC110 - other processes end them
            await asyncio.sleep(0.05)


async def count(database: Database, statement: object) -> int:
    """The single number that a query returns."""
    async with database.snapshot() as tx:
        return int((await tx.execute(statement)).scalar_one())  # type: ignore[call-overload]


async def plain_celery(broker: str) -> float:
    """Sleeping tasks per second, from the first that is sent."""
    app.conf.broker_url = broker
    async with celery_workers(broker), Redis.from_url(broker) as valkey:
        await run_sleepers(valkey, CONCURRENT)
        started = time.perf_counter()
        await run_sleepers(valkey, BARE_TASKS)
        return BARE_TASKS / (time.perf_counter() - started)


async def run_sleepers(valkey: Redis, number: int) -> None:
    """Send that many tasks and wait until none is queued or held by a worker."""

    def send() -> None:
        with app.producer_or_acquire() as producer:
            for _ in range(number):
                sleep.apply_async((VENDOR_SECONDS,), producer=producer)

    await asyncio.to_thread(send)
    async with asyncio.timeout(WITHIN):
        while await valkey.llen("celery") or await valkey.hlen("unacked"):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)


@asynccontextmanager
async def celery_workers(broker: str) -> AsyncIterator[None]:
    """Start as many Celery workers with as many threads as Hortus has."""
    threads = str(CONCURRENT // WORKERS)
    options = ("worker", "-P", "threads", "-c", threads, "--without-gossip", "--without-mingle", "-l", "ERROR")
    children = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "celery", "-A", "bench.celery_baseline", *options, "-n", f"bare{number}@%h",
            env={**os.environ, "BENCH_BROKER": broker}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for number in range(WORKERS)
    ]  # fmt: skip
    try:
        yield
    finally:
        for child in children:
            if child.returncode is None:
                child.terminate()
        await asyncio.gather(*(child.wait() for child in children))
