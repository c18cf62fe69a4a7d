"""Clients that retry every request, under the same idempotency key, until it is answered."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from hortus import ledger, quotas
from hortus.core.db import Database
from hortus.core.money import MICRO
from hortus.core.settings import Settings
from hortus.ops.configuration import read as read_configuration

PASSWORD = "a long enough passphrase 7"


@asynccontextmanager
async def customers(
    url: str, database: Database, number: int, timeout: float = 15, name: str = "u"
) -> AsyncIterator[list[httpx2.AsyncClient]]:
    """Signed-in clients with the plan `pro` and ample credit."""
    database.context.configuration = read_configuration(Settings(_env_file=None))
    clients = [httpx2.AsyncClient(base_url=url, timeout=timeout) for _ in range(number)]
    try:
        for place, client in enumerate(clients):
            body = {"email": f"{name}{place}@example.com", "password": PASSWORD, "accept_terms": True}
            answer = await client.post("/api/auth/register", json=body)
            assert answer.status_code == 201, answer.text
            client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            user_id = (await client.get("/api/user/me")).json()["id"]
            async with database.transaction() as tx:
                await quotas.set_plan(tx, user_id, name="pro")
                await ledger.grant(tx, user_id, 10_000 * MICRO, reference=f"gift:{user_id}", reason="For the test")
        yield clients
    finally:
        for client in clients:
            await client.aclose()


async def retry_post(
    client: httpx2.AsyncClient,
    path: str,
    body: dict[str, Any],
    key: str,
    rng: random.Random,
    failed: list[str] | None = None,
) -> Any:
    """Retry a POST while the server crashes and restarts. `failed` collects the request ids of answers with 500."""
    async with asyncio.timeout(90):
        while True:
            try:
                answer = await client.post(path, json=body, headers={"Idempotency-Key": key})
            except httpx2.TransportError:
                pass
            else:
                if answer.status_code in (200, 201, 202):
                    return answer.json()
                assert answer.status_code >= 500 or answer.json()["code"] == "idempotency_in_progress", answer.text
                assert answer.json()["request_id"] == answer.headers["X-Request-ID"]
                if answer.status_code == 500 and failed is not None:
                    failed.append(answer.headers["X-Request-ID"])
            await asyncio.sleep(rng.uniform(0.1, 0.4))


async def generate(
    client: httpx2.AsyncClient, place: int, rng: random.Random, failed: list[str] | None = None, videos: bool = True
) -> None:
    """Submit one generation and retry until it is accepted: a chat message, images, or every fifth time a video."""
    if videos and place % 5 == 4:
        await retry_post(client, "/api/video/generate", {"prompt": f"Kite {place}"}, f"video-{place}", rng, failed)
    elif place % 2:
        body = {"prompt": f"Kite {place}", "size": "256x256", "count": 1 + place % 3}
        await retry_post(client, "/api/image/generate", body, f"image-{place}", rng, failed)
    else:
        room = await retry_post(client, "/api/chatroom", {"title": f"Room {place}"}, f"room-{place}", rng, failed)
        path = f"/api/chatroom/{room['id']}/message"
        await retry_post(client, path, {"content": "Hello"}, f"message-{place}", rng, failed)
