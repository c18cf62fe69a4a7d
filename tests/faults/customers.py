"""Customers who do not give up: every request is sent again, under the same key, until it is answered."""

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
    """Signed-in clients on the plan `pro`, with more credit than they can spend."""
    database.configure(read_configuration(Settings(_env_file=None)))
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


async def insist(
    client: httpx2.AsyncClient,
    path: str,
    body: dict[str, Any],
    key: str,
    dice: random.Random,
    failed: list[str] | None = None,
) -> Any:
    """The answer of a POST, however often the server dies meanwhile; `failed` collects the ids of answers with 500."""
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
            await asyncio.sleep(dice.uniform(0.1, 0.4))


async def generate(
    client: httpx2.AsyncClient, place: int, dice: random.Random, failed: list[str] | None = None, videos: bool = True
) -> None:
    """One generation, accepted: a chat message, images, or now and then a video."""
    if videos and place % 5 == 4:
        await insist(client, "/api/video/generate", {"prompt": f"Kite {place}"}, f"video-{place}", dice, failed)
    elif place % 2:
        body = {"prompt": f"Kite {place}", "size": "256x256", "count": 1 + place % 3}
        await insist(client, "/api/image/generate", body, f"image-{place}", dice, failed)
    else:
        room = await insist(client, "/api/chatroom", {"title": f"Room {place}"}, f"room-{place}", dice, failed)
        path = f"/api/chatroom/{room['id']}/message"
        await insist(client, path, {"content": "Hello"}, f"message-{place}", dice, failed)
