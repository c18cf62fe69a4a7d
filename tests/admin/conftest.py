"""A server on each of the two databases, and staff to call it."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from tests.serving import Hortus, serve

from hortus import admin, ledger


@pytest.fixture
async def hortus(database_url: str, tmp_path) -> AsyncIterator[Hortus]:
    """A running server. After every story the audit log and the ledger must hold."""
    async with serve(database_url, tmp_path) as running:
        yield running
        async with running.database.snapshot() as tx:
            result = await admin.verify(tx)
            assert (result.broken, result.finished) == ([], True)
            assert await ledger.check_invariants(tx) == []


@pytest.fixture
async def root(hortus: Hortus) -> httpx2.AsyncClient:
    """The one administrator, freshly signed in."""
    return await hortus.staff("admin")


def id_of(client: Any) -> str:
    """The user behind a client."""
    return str(client.tokens["user"]["id"])


async def audit_of(client: httpx2.AsyncClient, **filters: str) -> list[dict[str, Any]]:
    """The newest events of the audit log."""
    answer = await client.get("/api/admin/audit", params=filters)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]
