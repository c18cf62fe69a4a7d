"""A server whose vendor is the OpenAI emulator: fast, real wire, and able to fail."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from tests.emulators.openai import OpenAIEmulator
from tests.serving import Hortus, serve

from hortus import ledger

HELD_IN_VAIN = text(
    "SELECT count(*) FROM credit_reservations r JOIN generations g ON g.id = r.reference "
    "WHERE r.status = 'open' AND g.status NOT IN ('queued', 'running')"
)


@pytest.fixture
async def vendor(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OpenAIEmulator]:
    """The vendor that the environment points at."""
    async with OpenAIEmulator() as emulator:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{emulator.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-emulated")
        monkeypatch.setenv("OPENAI_TEXT_MODEL", "house-writer")
        monkeypatch.setenv("OPENAI_IMAGE_MODEL", "house-painter")
        for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
            monkeypatch.delenv(name, raising=False)
        yield emulator


@pytest.fixture
async def hortus(database_url: str, tmp_path, vendor: OpenAIEmulator) -> AsyncIterator[Hortus]:
    """A running server on each of the two databases.

    After every journey the ledger must hold, and nothing may be held for what has ended.
    """
    async with serve(database_url, tmp_path) as running:
        yield running
        async with running.database.snapshot() as tx:
            assert await ledger.prove(tx) == []
            assert (await tx.execute(HELD_IN_VAIN)).scalar_one() == 0
