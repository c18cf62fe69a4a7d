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

PASSWORD = "a long enough passphrase 7"


@asynccontextmanager
async def customers(url: str, database: Database, number: int) -> AsyncIterator[list[httpx2.AsyncClient]]:
    """Signed-in clients on the plan `pro`, with more credit than they can spend."""
    clients = [httpx2.AsyncClient(base_url=url, timeout=15) for _ in range(number)]
    try:
        for place, client in enumerate(clients):
            body = {"email": f"u{place}@example.com", "password": PASSWORD, "accept_terms": True}
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


async def insist(client: httpx2.AsyncClient, path: str, body: dict[str, Any], key: str, dice: random.Random) -> Any:
    """The answer of a POST, however often the server dies meanwhile."""
    async with asyncio.timeout(60):
        while True:
            try:
                answer = await client.post(path, json=body, headers={"Idempotency-Key": key})
            except httpx2.TransportError:
                pass
            else:
                if answer.status_code in (200, 201, 202):
                    return answer.json()
                assert answer.status_code >= 500, answer.text
            await asyncio.sleep(dice.uniform(0.1, 0.4))
