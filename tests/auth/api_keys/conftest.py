"""A running server that remembers callers, and keys to call it with."""

from typing import Any

import httpx2
import pytest
from tests.helpers.server import Hortus


@pytest.fixture
def server_options() -> dict[str, Any]:
    return {"principal_cache_seconds": 300.0}


async def make_key(client: httpx2.AsyncClient, **wanted: Any) -> dict[str, Any]:
    answer = await client.post("/api/keys", json={"name": "ci", **wanted})
    assert answer.status_code == 201, answer.text
    return answer.json()


def by_key(hortus: Hortus, secret: str) -> httpx2.AsyncClient:
    client = hortus.anonymous()
    client.headers["Authorization"] = f"Bearer {secret}"
    return client


async def code_of(client: httpx2.AsyncClient, path: str = "/api/models") -> tuple[int, str | None]:
    answer = await client.get(path)
    return answer.status_code, answer.json().get("code")
