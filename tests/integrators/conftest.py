"""A server on SQLite whose provider is the emulator of OpenAI."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.emulators.openai import OpenAIEmulator
from tests.helpers.server import Hortus, serve


@pytest.fixture
async def server(tmp_path: Path, vendor: OpenAIEmulator) -> AsyncIterator[Hortus]:
    async with serve(f"sqlite+aiosqlite:///{tmp_path / 'hortus.db'}", tmp_path, fresh=True) as running:
        yield running
