"""Rate limits on coupon codes: attempts per customer, and wrong codes per network."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import HTTPConnection

from hortus.core import rate_limits
from hortus.core.web.deps import counting_failures, hit_limit, network_of

BY_USER, BY_NETWORK = "10/hour", "60/hour"
rate_limits.declare("coupon", "coupon_network")


@asynccontextmanager
async def count_attempt(connection: HTTPConnection, user_id: str, code: str | None) -> AsyncIterator[None]:
    """Count an attempt before the code is checked, and a wrong code for the network too; a no-op without a code.

    Raises TooManyRequests. Valid codes do not count for the network, so customers behind one address are not limited.
    """
    if code is None:
        yield
        return
    await hit_limit(connection, "coupon", BY_USER, user_id)
    async with counting_failures(connection, "coupon_network", BY_NETWORK, network_of(connection)):
        yield
