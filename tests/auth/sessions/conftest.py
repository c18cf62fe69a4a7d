"""A running server on each of the two databases, its limits in force."""

from typing import Any

import pytest


@pytest.fixture
def server_options() -> dict[str, Any]:
    return {"principal_cache_seconds": 0.0}
