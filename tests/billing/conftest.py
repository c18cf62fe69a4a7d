"""A shop with the sandbox for a gateway, and a customer's way through it."""

import asyncio
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from tests.helpers.server import Hortus


@pytest.fixture
def server_options() -> dict[str, Any]:
    return {"knows_its_port": True}


async def usage(client: httpx2.AsyncClient) -> dict[str, Any]:
    """Limits and credit of a customer."""
    answer = await client.get("/api/user/usage")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def available(client: httpx2.AsyncClient) -> int:
    """Whole micro-credits that a customer may spend."""
    return int((await usage(client))["credits"]["available"])


async def press(client: httpx2.AsyncClient, checkout: dict[str, Any], button: str) -> httpx2.Response:
    """Press a button of the sandbox's page."""
    answer = await client.post(f"{checkout['checkout_url']}/{button}", follow_redirects=False)
    assert answer.status_code == 303, answer.text
    return answer


async def buy(client: httpx2.AsyncClient, path: str = "/api/payment/subscription", **body: Any) -> dict[str, Any]:
    """Start a checkout; the order."""
    answer = await client.post(path, json=body or None)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def quiet(hortus: Hortus, seconds: float = 20.0) -> None:
    """Wait until no news waits for its delivery or its handling, and every document is issued."""
    waiting = text(
        "SELECT (SELECT count(*) FROM tasks WHERE name IN "
        "('sandbox.deliver', 'billing.event', 'billing.undo', 'billing.document') AND status IN ('queued', 'running')) "
        "+ (SELECT count(*) FROM webhook_events WHERE status = 'pending')"
    )
    async with asyncio.timeout(seconds):
        while True:
            async with hortus.database.snapshot() as tx:
                if (await tx.execute(waiting)).scalar_one() == 0:
                    return
            await asyncio.sleep(0.05)


async def rows(hortus: Hortus, query: str) -> list[Any]:
    """What the database says."""
    async with hortus.database.snapshot() as tx:
        return list((await tx.execute(text(query))).all())
