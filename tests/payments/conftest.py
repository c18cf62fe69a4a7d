"""Every gateway, one after another, before the same contract."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.payments.bench import BENCHES, Bench, context_of

from hortus.core.db import Database
from hortus.payments import GatewayContext


@pytest.fixture
async def context(database: Database, tmp_path: Path) -> AsyncIterator[GatewayContext]:
    """What an adapter is given."""
    async with context_of(database, tmp_path) as made:
        yield made


@pytest.fixture(params=sorted(BENCHES))
async def bench(
    request: pytest.FixtureRequest, context: GatewayContext, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bench]:
    """One gateway, ready, with the vendor behind it."""
    async with BENCHES[request.param](context, monkeypatch) as made:
        assert made.gateway.missing() is None
        yield made
