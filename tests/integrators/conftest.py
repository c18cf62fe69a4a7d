"""A server to integrate with; its vendor is the OpenAI emulator."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.emulators.openai import OpenAIEmulator
from tests.helpers.server import Hortus, serve


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hortus]:
    """It runs in the test's own loop."""
    async with OpenAIEmulator() as emulator:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{emulator.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-emulated")
        monkeypatch.setenv("OPENAI_TEXT_MODEL", "house-writer")
        monkeypatch.setenv("OPENAI_IMAGE_MODEL", "house-painter")
        async with serve(f"sqlite+aiosqlite:///{tmp_path / 'hortus.db'}", tmp_path, fresh=True) as running:
            yield running
