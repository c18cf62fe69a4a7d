"""A running server on each of the two databases."""

from collections.abc import AsyncIterator

import pytest
from tests.serving import Hortus, serve


@pytest.fixture
async def hortus(database_url: str, tmp_path) -> AsyncIterator[Hortus]:
    """Like an installation; rate limits are off, the limits of second factors are not among them."""
    async with serve(database_url, tmp_path) as running:
        yield running
