"""The deployments of docs/operators/scaling.md, started as documented."""

import asyncio
import random
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest
from tests.emulators.openai import OpenAIEmulator, openai_settings
from tests.faults.audit import all_ended, audit
from tests.faults.clients import customers, generate
from tests.faults.cluster import cluster
from tests.helpers.valkey import Valkey

from hortus.core.db import Database


async def test_one_process(tmp_path: Path, rng: random.Random):
    folder = tmp_path / "town"
    url = f"sqlite+aiosqlite:///{folder / 'data' / 'hortus.db'}"
    (folder / "data").mkdir(parents=True)
    database = Database(url)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        vendor = await stack.enter_async_context(OpenAIEmulator())
        here = await stack.enter_async_context(cluster(database, "", folder, **openai_settings(vendor)))
        server = await here.add("up", "--data", str(folder / "data"))
        (client,) = await stack.enter_async_context(customers(server.url, database, 1))
        await asyncio.gather(*(generate(client, n, rng, videos=False) for n in range(4)))
        await all_ended(database, 4)
        books = await audit(database, here.files)
    assert books.statuses == {"succeeded": 4}


@pytest.mark.parametrize("broker", [False, True], ids=["alone", "celery"])
async def test_one_host(
    database: Database, database_url: str, tmp_path: Path, rng: random.Random, valkey: Valkey, *, broker: bool
):
    async with AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(OpenAIEmulator())
        settings = {**openai_settings(vendor), **({"CELERY_BROKER_URL": valkey.url} if broker else {})}
        here = await stack.enter_async_context(cluster(database, database_url, tmp_path / "town", **settings))
        assert await (await here.add("migrate")).exited() == 0
        servers = [await here.add("serve") for _ in range(2)]
        await here.add_workers(1, WORKER_QUEUES="interactive,mail,maintenance")
        await here.add_workers(1, WORKER_QUEUES="media=1")
        (client,) = await stack.enter_async_context(customers(servers[0].url, database, 1))
        other = httpx2.AsyncClient(base_url=servers[1].url, headers=client.headers, timeout=30)
        stack.push_async_callback(other.aclose)
        await asyncio.gather(*(generate((client, other)[n // 2 % 2], n, rng, videos=False) for n in range(6)))
        await all_ended(database, 6)
        assert len((await other.get("/api/generations")).json()["items"]) == 6
        books = await audit(database, here.files)
    assert books.statuses == {"succeeded": 6}
