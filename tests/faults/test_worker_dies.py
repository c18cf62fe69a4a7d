"""Workers are killed at every point of a generation; no work and no credit is lost."""

import asyncio
import random
import signal
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.emulators.gemini import GeminiEmulator
from tests.emulators.openai import OpenAIEmulator, openai_settings
from tests.faults.audit import all_ended, assert_logged, audit
from tests.faults.clients import customers, generate
from tests.faults.cluster import Process, cluster, gemini_settings
from tests.faults.crash_points import WORKER_POINTS
from tests.helpers.valkey import Valkey

from hortus.core.db import Database

LIFE = 10.0
"""Seconds after which a worker that has not reached its point is killed anyway."""


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_worker_dies_at_every_point(
    database: Database, database_url: str, valkey: Valkey, tmp_path: Path, full: bool, rng: random.Random, record
):
    total, users, seconds, enough = (200, 10, 90.0, 30) if full else (39, 4, 10.0, 6)
    killer = _Killer(rng)
    failed: list[str] = []
    async with AsyncExitStack() as stack:
        words = await stack.enter_async_context(OpenAIEmulator(delay=0.2, token_delay=0.05))
        videos = await stack.enter_async_context(GeminiEmulator(job_seconds=1.0))
        settings = {**openai_settings(words), **gemini_settings(videos), "CELERY_BROKER_URL": valkey.url}
        here = await stack.enter_async_context(cluster(database, database_url, tmp_path / "town", **settings))
        server = await here.add("serve")
        clients = await stack.enter_async_context(customers(server.url, database, users))
        workers = [here.plan("worker") for _ in range(3)]
        killing = [asyncio.create_task(killer.keep_killing(worker, seconds, enough)) for worker in workers]
        await asyncio.gather(
            *(_later(rng.uniform(0, seconds), clients[n % users], n, rng, failed) for n in range(total))
        )
        await asyncio.gather(*killing)
        for worker in workers:
            await worker.registered()
        await all_ended(database, total)
        took = time.monotonic() - killer.latest
        books = await audit(database, here.files)
        assert_logged(here.log(), failed)
    record("kill -9 of a worker", f"{total} generations, {killer.deaths.total()} deaths, {dict(books.statuses)}", took)
    print(dict(killer.deaths))  # noqa: T201 - where they died
    assert killer.deaths["anywhere"] < killer.deaths.total() / 2
    assert books.statuses["succeeded"] > total * 0.8
    if full:
        assert set(WORKER_POINTS) <= set(killer.deaths)


@pytest.mark.parametrize("point", ["noted", "storing", "committing", "ended"])
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_video_that_was_paid_for_is_never_lost(
    database: Database, database_url: str, tmp_path: Path, rng: random.Random, point: str, full: bool
):
    if not full and point != "committing":
        pytest.skip("with FAULTS=full")
    async with AsyncExitStack() as stack:
        videos = await stack.enter_async_context(GeminiEmulator(job_seconds=1.0))
        async with cluster(database, database_url, tmp_path / "town", **gemini_settings(videos)) as here:
            server = await here.add("serve")
            worker = await here.add("worker", crash_at=point)
            async with customers(server.url, database, 1) as (client,):
                await generate(client, 4, rng)
                assert await worker.exited() == -signal.SIGKILL
                await worker.start()
                await all_ended(database, 1)
            books = await audit(database, here.files)
            assert books.statuses["succeeded"] == 1
            assert list(videos.bought().values()) == [1]
            async with asyncio.timeout(10):
                while not videos.jobs[0].deleted:  # the vendor keeps nothing of it
                    await asyncio.sleep(0.1)


async def _later(delay: float, *asked) -> None:
    await asyncio.sleep(delay)
    await generate(*asked)


class _Killer:
    """Crashes the workers at each point in turn."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._points = list(WORKER_POINTS)
        rng.shuffle(self._points)
        self._turn = 0
        self.deaths: Counter[str] = Counter()
        self.latest = 0.0

    async def keep_killing(self, worker: Process, seconds: float, enough: int) -> None:
        """Start and crash a worker repeatedly until there were enough crashes, then start it without."""
        until = time.monotonic() + seconds
        while time.monotonic() < until or self.deaths.total() < enough:
            point = self._points[self._turn % len(self._points)]
            self._turn += 1
            await worker.start(f"{point}:{self._rng.randint(0, 2)}")
            ending = asyncio.ensure_future(worker.exited())
            works = asyncio.ensure_future(worker.registered())
            await asyncio.wait((ending, works), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((ending,), timeout=LIFE)
            await asyncio.gather(works, return_exceptions=True)
            if not ending.done():
                worker.send(signal.SIGKILL)
                point = "anywhere"
            assert await ending == -signal.SIGKILL
            self.deaths[point] += 1
            self.latest = time.monotonic()
        await worker.start()
