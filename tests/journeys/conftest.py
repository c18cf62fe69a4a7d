"""A server whose vendor is the OpenAI emulator: fast, real wire, and able to fail."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select, text
from tests.emulators.openai import OpenAIEmulator
from tests.serving import Hortus, serve

from hortus import ledger
from hortus.chat.tables import Chatroom, Message
from hortus.core.db import search
from hortus.files.tables import File
from hortus.generation.tables import Generation

HELD_IN_VAIN = text(
    "SELECT count(*) FROM credit_reservations r JOIN generations g ON g.id = r.reference "
    "WHERE r.status = 'open' AND g.status NOT IN ('queued', 'running')"
)

TEXTS = (
    select(Chatroom.user_id, Chatroom.search, Chatroom.title, Chatroom.description),
    select(Chatroom.user_id, Message.search, Message.content).join(Chatroom, Chatroom.id == Message.room_id),
    select(File.user_id, File.search, File.filename),
    select(Generation.user_id, Generation.search, Generation.prompt).where(Generation.kind != "chat"),
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

    After every journey the ledger must hold, nothing may be held for what has ended, and each row that can be
    searched must be indexed by the text it has.
    """
    async with serve(database_url, tmp_path) as running:
        yield running
        async with running.database.snapshot() as tx:
            assert await ledger.check_invariants(tx) == []
            assert (await tx.execute(HELD_IN_VAIN)).scalar_one() == 0
            for query in TEXTS:
                for owner, indexed, *texts in await tx.execute(query):
                    assert indexed == search.document(owner, *texts)
