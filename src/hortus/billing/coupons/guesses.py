"""Who tries codes one after the other is stopped: by customer, and by network over all customers."""

from starlette.requests import HTTPConnection

from hortus.core import limits
from hortus.core.web import hit_limit, network_of

BY_USER, BY_NETWORK = "10/hour", "60/hour"
limits.declare("coupon", "coupon_network")


async def count_guess(connection: HTTPConnection, user_id: str) -> None:
    """Count one code that somebody sent, before it is looked at. Raises RateLimited."""
    await hit_limit(connection, "coupon_network", BY_NETWORK, network_of(connection))
    await hit_limit(connection, "coupon", BY_USER, user_id)
