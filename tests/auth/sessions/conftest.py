"""A running server on each of the two databases, its limits in force."""

from collections.abc import AsyncIterator

import pytest
from tests.serving import Hortus, serve


@pytest.fixture
async def hortus(database_url: str, tmp_path) -> AsyncIterator[Hortus]:
    """Like an installation, but that it asks the database at every call, as the default does."""
    async with serve(database_url, tmp_path, principal_cache_seconds=0.0) as running:
        yield running
