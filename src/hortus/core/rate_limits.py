"""Rate limits in short sliding windows. Quotas and credits are in SQL, not here.

`RATE_LIMIT_<NAME>=5/minute` overrides a limit by its name, `RATE_LIMITS_ENABLED=false`
turns all of them off for load tests.

With Redis the window is shared by all processes. Each process also counts the requests that it allowed: if
that window is full, Redis is not queried, and while Redis is unreachable that window alone decides. An outage
allows at most the limit once per process.
"""

import math
import time

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from hortus.core import redis_rate_limit
from hortus.core.errors import TooManyRequests
from hortus.core.redis import Redis, RedisDown
from hortus.core.redis_rate_limit import Verdict
from hortus.core.settings import Settings

_names: set[str] = set()


def declare(*names: str) -> None:
    """Register names of limits when their module is imported, so that a misspelt `RATE_LIMIT_…` is detected."""
    _names.update(names)


def declared_names() -> frozenset[str]:
    """The names declared by imported modules."""
    return frozenset(_names)


class Limiter:
    """Counts hits in a sliding window, per limit and caller; without `redis`, in this process."""

    def __init__(self, settings: Settings, redis: Redis | None = None) -> None:
        self._enabled = settings.rate_limits_enabled
        self._overrides = settings.rate_limits
        self._redis = redis
        self._parsed: dict[str, RateLimitItem] = {}
        self._own = MovingWindowRateLimiter(MemoryStorage())

    async def hit(self, name: str, default: str, client: str, *, counts: bool = True) -> dict[str, str]:
        """Count one request of `client`; returns the `RateLimit-*` headers, raises TooManyRequests when over.

        Without `counts` it only checks: for limits of failures, which are counted afterwards.
        """
        if not self._enabled:
            return {}
        limit = self._limit(name, default)
        verdict = await self._shared(limit, name, client, counts) or await self._local(limit, name, client, counts)
        wait = max(1, math.ceil(verdict.seconds))
        headers = {
            "RateLimit-Limit": str(limit.amount),
            "RateLimit-Remaining": str(max(0, verdict.remaining)),
            "RateLimit-Reset": str(wait),
        }
        if not verdict.allowed:
            raise TooManyRequests(headers={**headers, "Retry-After": str(wait)}, retry_after=wait, limit=name)
        return headers

    async def _shared(self, limit: RateLimitItem, name: str, client: str, counts: bool) -> Verdict | None:
        """The verdict of the shared window; None if this process has to decide alone."""
        if self._redis is None or not self._redis.up or not await self._own.test(limit, name, client):
            return None
        try:
            verdict = await redis_rate_limit.hit(
                self._redis, f"{name}:{client}", limit.amount, limit.get_expiry(), counts=counts
            )
        except RedisDown:
            return None
        if verdict.allowed and counts:
            await self._own.hit(limit, name, client)
        return verdict

    async def _local(self, limit: RateLimitItem, name: str, client: str, counts: bool) -> Verdict:
        allowed = await (self._own.hit if counts else self._own.test)(limit, name, client)
        stats = await self._own.get_window_stats(limit, name, client)
        return Verdict(allowed, stats.remaining, stats.reset_time - time.time())

    def _limit(self, name: str, default: str) -> RateLimitItem:
        text = self._overrides.get(name, default)
        if text not in self._parsed:
            self._parsed[text] = parse(text)
        return self._parsed[text]
