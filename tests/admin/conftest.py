"""Checks of the audit log after every test, and administrators as clients."""

from typing import Any

import httpx2
import pytest
from tests.helpers.checks import Check, audit_log_is_intact, ledger_balances
from tests.helpers.server import Hortus


@pytest.fixture
def server_checks() -> tuple[Check, ...]:
    return (ledger_balances, audit_log_is_intact)


@pytest.fixture
async def root(hortus: Hortus) -> httpx2.AsyncClient:
    """An administrator who has just signed in."""
    return await hortus.staff("admin")


def id_of(client: Any) -> str:
    """The id of the client's user."""
    return str(client.tokens["user"]["id"])


async def audit_of(client: httpx2.AsyncClient, **filters: str) -> list[dict[str, Any]]:
    """The newest events of the audit log."""
    answer = await client.get("/api/admin/audit", params=filters)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]
