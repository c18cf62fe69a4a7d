"""Quota is counted in SQL: a race for the last unit is correct while Redis stops and returns."""

import asyncio
import random
import time
from collections import Counter
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import func, select
from tests.faults.cluster import cluster
from tests.helpers.valkey import Valkey

from hortus.core.db import Database
from hortus.generation.tables import Generation

PASSWORD = "a long enough passphrase 7"
LASTS = 2.0
"""Seconds over which the requests of a customer are spread."""
RECOVERS = 10.0


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_race_for_the_last_of_a_quota_while_redis_is_down(
    database: Database, database_url: str, valkey: Valkey, tmp_path: Path, full: bool, rng: random.Random, record
):
    number, each = (20, 200) if full else (4, 40)
    async with (
        cluster(database, database_url, tmp_path / "town", REDIS_URL=valkey.url) as here,
        httpx2.AsyncClient(timeout=60, limits=httpx2.Limits(max_connections=100)) as client,
    ):
        servers = [await here.add("serve") for _ in range(2)]
        tokens = [await sign_up(client, servers[0].url, place) for place in range(number)]
        limit = await images_left(client, servers[1].url, tokens[0])

        async def ask(token: str, place: int) -> str:
            await asyncio.sleep(rng.uniform(0, LASTS))
            answer = await client.post(
                f"{servers[place % 2].url}/api/image/generate",
                json={"prompt": "A kite", "size": "256x256"},
                headers={"Authorization": f"Bearer {token}"},
            )
            return "accepted" if answer.status_code == 202 else str(answer.json()["code"])

        asked = [asyncio.create_task(ask(token, place)) for token in tokens for place in range(each)]
        await asyncio.sleep(rng.uniform(0, 0.3))
        await asyncio.to_thread(valkey.stop)
        await asyncio.sleep(LASTS / 2)
        await asyncio.to_thread(valkey.start)
        since = time.monotonic()
        said = await asyncio.gather(*asked)
        assert Counter(said) == {"accepted": number * limit, "quota_exceeded": number * (each - limit)}
        async with database.snapshot() as tx:
            made = (await tx.execute(select(Generation.user_id, func.count()).group_by(Generation.user_id))).all()
        assert sorted(count for _, count in made) == [limit] * number
        for token in tokens:
            assert await images_left(client, servers[0].url, token) == 0
        async with asyncio.timeout(RECOVERS):
            for server in servers:
                while (await client.get(f"{server.url}/health")).json()["status"] != "ok":
                    await asyncio.sleep(0.1)
        recovered = time.monotonic() - since
        assert "request_failed" not in here.log()
    record("quota race with Redis down", f"{number} customers, {number * each} requests, 2 servers", recovered)


async def sign_up(client: httpx2.AsyncClient, url: str, place: int) -> str:
    body = {"email": f"u{place}@example.com", "password": PASSWORD, "accept_terms": True}
    answer = await client.post(f"{url}/api/auth/register", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["access_token"])


async def images_left(client: httpx2.AsyncClient, url: str, token: str) -> int:
    answer = await client.get(f"{url}/api/user/usage", headers={"Authorization": f"Bearer {token}"})
    return min(each["remaining"] for each in answer.json()["windows"] if each["kind"] == "image")
