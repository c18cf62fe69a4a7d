"""Options of the server: it reads sessions from the database at every call."""

from typing import Any

import pytest


@pytest.fixture
def server_options() -> dict[str, Any]:
    return {"principal_cache_seconds": 0.0}
