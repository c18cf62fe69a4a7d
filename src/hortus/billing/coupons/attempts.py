"""Limits on codes that are tried one after the other: by customer, and by network for those that are wrong."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import HTTPConnection

from hortus.core import rate_limits
from hortus.core.web.deps import failures_limited, hit_limit, network_of

BY_USER, BY_NETWORK = "10/hour", "60/hour"
rate_limits.declare("coupon", "coupon_network")


@asynccontextmanager
async def guess_counted(connection: HTTPConnection, user_id: str, code: str | None) -> AsyncIterator[None]:
    """Count one code that a customer sent, if they did, before it is looked at; a wrong one for their network too.

    Raises RateLimited. Colleagues behind one address redeem as many good codes as they have.
    """
    if code is None:
        yield
        return
    await hit_limit(connection, "coupon", BY_USER, user_id)
    async with failures_limited(connection, "coupon_network", BY_NETWORK, network_of(connection)):
        yield
