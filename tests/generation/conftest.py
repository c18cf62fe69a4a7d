"""The server and the vendor of the journeys."""

from tests.journeys.conftest import hortus, vendor

__all__ = ["hortus", "vendor"]
