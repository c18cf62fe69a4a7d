"""Programs that tests use and only the machine can bring (a browser, a broker, a virus scanner).

`peer_missing` skips the test that asks; with `REQUIRE_PEERS=1`, as `.ci/run` sets it, the test fails instead.
"""

import os
from typing import NoReturn

import pytest


def skip_without(name: str, untested: str) -> NoReturn:
    """End the test: `name` is the program, `untested` is what stays untested without it."""
    reason = f"LOUD: no {name} on this machine, so untested: {untested}"
    if os.environ.get("REQUIRE_PEERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
