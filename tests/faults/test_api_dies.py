"""A server crashes or is replaced under load; every request has exactly one effect."""

import asyncio
import random
import signal
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest
from tests.emulators.openai import OpenAIEmulator, openai_settings
from tests.faults.audit import all_ended, assert_logged, audit
from tests.faults.clients import customers, generate, retry_post
from tests.faults.cluster import Cluster, cluster
from tests.faults.crash_points import API_POINTS
from tests.faults.load_balancer import LoadBalancer
from tests.faults.server_process import ServerProcess

from hortus.core.db import Database


@pytest.fixture
async def vendor():
    async with OpenAIEmulator(delay=0.1, token_delay=0.02) as emulator:
        yield emulator


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_the_api_dies_around_the_commit_of_a_generation(
    database: Database, database_url: str, tmp_path: Path, full: bool, rng: random.Random, record, vendor
):
    times = 12 if full else 2
    async with cluster(database, database_url, tmp_path / "town", **openai_settings(vendor)) as here:
        server = await here.add("serve")
        await here.add_workers(1)
        async with customers(server.url, database, 1) as (client,):
            for turn in range(times):
                await server.end(signal.SIGTERM)
                await server.start(API_POINTS[turn % 2])
                asked = asyncio.create_task(generate(client, turn * 2 + 1, rng, videos=False))
                assert await server.exited() == -signal.SIGKILL
                await server.start()
                await asked
        took = await all_ended(database, times)
        books = await audit(database, here.files)
    assert books.statuses == {"succeeded": times}
    record("kill -9 of the API around a commit", f"{times} deaths", took)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_servers_are_replaced_without_a_failed_request(
    database: Database, database_url: str, tmp_path: Path, full: bool, record, vendor
):
    rounds, users = (5, 8) if full else (1, 4)
    answers: Counter[int] = Counter()
    async with AsyncExitStack() as stack:
        settings = {**openai_settings(vendor), "SHUTDOWN_DRAIN_SECONDS": "2"}
        here = await stack.enter_async_context(cluster(database, database_url, tmp_path / "town", **settings))
        servers = [await here.add("serve") for _ in range(2)]
        workers = await here.add_workers(2)
        front = await stack.enter_async_context(LoadBalancer([server.url for server in servers]))
        clients = await stack.enter_async_context(customers(front.url, database, users))
        over = asyncio.Event()
        load = [asyncio.create_task(_ask_on(client, place, over, answers)) for place, client in enumerate(clients)]
        for _ in range(rounds):
            for process in (*servers, *workers):
                assert await process.end(signal.SIGTERM) in (0, -signal.SIGTERM)
                await process.start()
                if process in workers:
                    await process.registered()
                await asyncio.sleep(0.5)
        over.set()
        await asyncio.gather(*load)
        took = await all_ended(database)
        books = await audit(database, here.files)
    assert set(answers) == {200, 202}, answers
    assert set(books.statuses) == {"succeeded"}
    record("SIGTERM of all in turn, under load", f"{rounds * 4} restarts, {answers.total()} requests, 0 failed", took)


async def _ask_on(client: httpx2.AsyncClient, place: int, over: asyncio.Event, answers: Counter[int]) -> None:
    """Send requests in sequence, without retries."""
    turn = 0
    while not over.is_set():
        turn += 1
        if turn % 10 == 0:
            body = {"prompt": f"Kite {place} {turn}", "size": "256x256"}
            answer = await client.post("/api/image/generate", json=body)
        elif turn % 3 == 0:
            answer = await client.post("/api/text/generate", json={"prompt": f"Kite {place} {turn}"})
        else:
            answer = await client.get("/api/user/usage")
        answers[answer.status_code] += 1
        await asyncio.sleep(0.05)


async def test_a_server_leaves_its_listeners_whole_and_at_once(database: Database, database_url: str, tmp_path: Path):
    """Listeners can reconnect to another server, so a server that shuts down does not wait for them."""
    async with (
        ServerProcess(tmp_path / "server", "serve", DATABASE_URL=database_url) as server,
        customers(server.url, database, 1) as (client,),
    ):
        room = (await client.post("/api/chatroom", json={"title": "Kites"})).json()
        async with client.stream("GET", f"/api/chatroom/{room['id']}/events") as stream:
            assert stream.status_code == 200
            began = time.monotonic()
            stopping = asyncio.create_task(server.stop())
            assert [line async for line in stream.aiter_lines() if line.startswith("event")] == []  # and is not cut off
            assert await stopping in (0, -signal.SIGTERM)
            assert time.monotonic() - began < 10


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_one_key_a_hundred_times(
    database: Database, database_url: str, tmp_path: Path, full: bool, rng: random.Random, record, vendor
):
    times = 100 if full else 30
    async with cluster(database, database_url, tmp_path / "town", **openai_settings(vendor)) as here:
        servers = [await here.add("serve") for _ in range(2)]
        await here.add_workers(1)
        failed: list[str] = []
        async with customers(servers[0].url, database, 1, timeout=60) as (client,):
            body = {"prompt": "One kite", "size": "256x256"}
            clients = [client, httpx2.AsyncClient(base_url=servers[1].url, headers=client.headers, timeout=60)]
            total = [retry_post(clients[n % 2], "/api/image/generate", body, "once", rng, failed) for n in range(times)]
            made = await asyncio.gather(*total)
            await clients[1].aclose()
        took = await all_ended(database, 1)
        await audit(database, here.files)
        assert_logged(here.log(), failed)
    assert len({answer["id"] for answer in made}) == 1
    assert failed == []
    record("one key, many times at once", f"{times} requests to 2 servers, 1 generation", took)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_frozen_worker_comes_back_too_late(
    database: Database, database_url: str, tmp_path: Path, full: bool, rng: random.Random, record, vendor
):
    times = 5 if full else 1
    vendor.delay = 1.5
    async with cluster(database, database_url, tmp_path / "town", **openai_settings(vendor)) as here:
        server = await here.add("serve")
        async with customers(server.url, database, 1) as (client,):
            for turn in range(times):
                (late,) = await here.add_workers(1)
                before = vendor.counts["calls"]
                await generate(client, turn * 2 + 1, rng, videos=False)
                await _asked(vendor, before)
                late.send(signal.SIGSTOP)
                (other,) = await here.add_workers(1)
                took = await all_ended(database, turn + 1)
                late.send(signal.SIGCONT)
                await _said(here, "lease_lost", turn + 1)
                await late.end()
                await other.end()
        books = await audit(database, here.files)
    assert books.statuses == {"succeeded": times}
    record("SIGSTOP beyond the lease, then SIGCONT", f"{times} times", took)


async def _asked(vendor: OpenAIEmulator, before: int) -> None:
    async with asyncio.timeout(30):
        while vendor.counts["calls"] == before:
            await asyncio.sleep(0.02)


async def _said(here: Cluster, event: str, times: int) -> None:
    async with asyncio.timeout(30):
        while here.log().count(f'"{event}"') < times:
            await asyncio.sleep(0.05)
