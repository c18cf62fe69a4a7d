"""A running server on each of the two databases."""

from collections.abc import AsyncIterator

import pytest
from tests.serving import Hortus, serve


@pytest.fixture
async def hortus(database_url: str, tmp_path) -> AsyncIterator[Hortus]:
    """An installation that its own machine reaches, as http://localhost:8000; rate limits are off."""
    async with serve(database_url, tmp_path) as running:
        yield running
