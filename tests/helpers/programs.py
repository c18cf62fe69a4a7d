"""Optional programs of the machine that tests use (a browser, a broker, a virus scanner).

`skip_without` skips the test; with `REQUIRE_PEERS=1`, as `.ci/run` sets it, the test fails instead.
"""

import os
from typing import NoReturn

import pytest


def skip_without(name: str, untested: str) -> NoReturn:
    """Skip or fail the test: `name` is the missing program, `untested` what stays untested without it."""
    reason = f"LOUD: no {name} on this machine, so untested: {untested}"
    if os.environ.get("REQUIRE_PEERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
