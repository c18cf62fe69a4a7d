"""Options of the server for journeys: its provider is the emulator of OpenAI, and all invariants are checked."""

from typing import Any

import pytest
from tests.emulators.openai import OpenAIEmulator
from tests.helpers.checks import Check, ledger_balances, nothing_held_after_end, search_is_current


@pytest.fixture
def server_options(vendor: OpenAIEmulator) -> dict[str, Any]:
    return {}


@pytest.fixture
def server_checks() -> tuple[Check, ...]:
    return (ledger_balances, nothing_held_after_end, search_is_current)
