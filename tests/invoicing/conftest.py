"""Options of the server: its sandbox gateway sends webhooks to it."""

from typing import Any

import pytest


@pytest.fixture
def server_options() -> dict[str, Any]:
    return {"knows_its_port": True}
