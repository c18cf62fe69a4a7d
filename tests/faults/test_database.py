"""The database restarts, loses responses, or has no free connections."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from tests.emulators.openai import OpenAIEmulator, openai_settings
from tests.faults.audit import all_ended, assert_logged, audit
from tests.faults.clients import customers, generate
from tests.faults.cluster import cluster
from tests.faults.postgres import Proxy, Server, own_server
from tests.helpers import schema

from hortus.core.db import Database

USERS = 4


@asynccontextmanager
async def load(
    database: Database, database_url: str, folder: Path, rng: random.Random, total: int, seconds: float, **settings
) -> AsyncIterator[asyncio.Future]:
    """Run a server and two workers under load, and audit the result."""
    failed: list[str] = []
    async with AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(OpenAIEmulator(delay=0.2, token_delay=0.05))
        here = await stack.enter_async_context(
            cluster(database, database_url, folder, **openai_settings(vendor), **settings)
        )
        server = await here.add("serve")
        await here.add_workers(2)
        clients = await stack.enter_async_context(customers(server.url, database, USERS))
        asking = [_later(rng.uniform(0, seconds), clients[n % USERS], n, rng, failed, False) for n in range(total)]
        asked = asyncio.ensure_future(asyncio.gather(*asking))
        yield asked
        await asked
        await all_ended(database, total)
        books = await audit(database, here.files)
        assert books.statuses["succeeded"] > total * 0.8
        assert_logged(here.log(), failed)
        assert failed == []  # an unreachable database is a 503 with Retry-After


async def _later(delay: float, *asked) -> None:
    await asyncio.sleep(delay)
    await generate(*asked)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_connection_is_cut_after_commit(
    database: Database, database_url: str, tmp_path: Path, full: bool, rng: random.Random, record
):
    total, seconds = (120, 40.0) if full else (20, 8.0)
    async with AsyncExitStack() as stack:
        line = await stack.enter_async_context(Proxy(database_url, rng))
        async with load(database, line.url, tmp_path / "town", rng, total, seconds) as asked:
            line.share = 0.1
            await asked
            line.share = 0.0
            took = await all_ended(database, total)
    assert line.cuts > total / 10
    record("connection cut after COMMIT", f"{line.cuts} cuts, {total} generations", took)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_lost_answer_to_the_last_commit_loses_no_image(
    database: Database, database_url: str, tmp_path: Path, rng: random.Random
):
    async with AsyncExitStack() as stack:
        line = await stack.enter_async_context(Proxy(database_url, rng))
        vendor = await stack.enter_async_context(OpenAIEmulator(delay=1.0))
        here = await stack.enter_async_context(
            cluster(database, line.url, tmp_path / "town", **openai_settings(vendor))
        )
        server = await here.add("serve")
        await here.add_workers(1)
        (client,) = await stack.enter_async_context(customers(server.url, database, 1))
        await generate(client, 1, rng)
        async with asyncio.timeout(20):
            while not vendor.active:
                await asyncio.sleep(0.02)
        line.share = 1.0
        await all_ended(database, 1)
        line.share = 0.0
        books = await audit(database, here.files)
    assert (books.statuses["succeeded"], books.orphans) == (1, 0)
    assert vendor.counts["calls"] == 1


@pytest.fixture
def server() -> Iterator[Server]:
    with own_server(max_connections="24") as made:
        asyncio.run(schema.build(made.url))
        yield made


@pytest.fixture
async def own_database(server: Server) -> AsyncIterator[Database]:
    database = Database(server.url, pool_size=2)
    yield database
    await database.close()


async def test_postgresql_restarts_under_load(
    server: Server, own_database: Database, tmp_path: Path, full: bool, rng: random.Random, record
):
    times, total, seconds = (5, 80, 30.0) if full else (2, 16, 8.0)
    settings = {"DATABASE_POOL_SIZE": "3"}
    async with load(own_database, server.url, tmp_path / "town", rng, total, seconds, **settings) as asked:
        for _turn in range(times):
            await asyncio.sleep(seconds / times)
            await asyncio.to_thread(server.restart)
        since = time.monotonic()
        await asked
        await all_ended(own_database, total)
        took = time.monotonic() - since
    record("PostgreSQL restarted (immediate)", f"{times} times, {total} generations", took)


async def test_every_connection_is_taken(
    server: Server, own_database: Database, tmp_path: Path, full: bool, rng: random.Random, record
):
    total, seconds = (40, 20.0) if full else (12, 6.0)
    settings = {"DATABASE_POOL_SIZE": "3"}
    async with load(own_database, server.url, tmp_path / "town", rng, total, seconds, **settings) as asked:
        greedy: list[asyncpg.Connection] = []  # closed whatever happens
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                greedy.append(await asyncpg.connect(server.url))
            except asyncpg.TooManyConnectionsError:
                await asyncio.sleep(0.1)
        assert greedy
        for connection in greedy:
            await connection.close()
        since = time.monotonic()
        await asked
        await all_ended(own_database, total)
        took = time.monotonic() - since
    record("every connection taken", f"{len(greedy)} taken for {seconds:g} s, {total} generations", took)
