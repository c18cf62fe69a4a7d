"""The options and checks of the journeys."""

from tests.journeys.conftest import server_checks, server_options

__all__ = ["server_checks", "server_options"]
