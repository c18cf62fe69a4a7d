"""Rate limits: how often in a short time. Settings, never money: quotas and credits live in SQL.

`RATE_LIMIT_<NAME>=5/minute` overrides a limit by its name, `RATE_LIMITS_ENABLED=false`
turns all of them off for load tests.
"""

import math
import time

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from hortus.core.errors import RateLimited
from hortus.core.settings import Settings


class Limiter:
    """Counts hits in a sliding window, per limit and caller, in this process."""

    def __init__(self, settings: Settings) -> None:
        self._enabled = settings.rate_limits_enabled
        self._overrides = settings.rate_limits
        self._parsed: dict[str, RateLimitItem] = {}
        self._strategy = MovingWindowRateLimiter(MemoryStorage())

    async def hit(self, name: str, default: str, who: str) -> dict[str, str]:
        """Count one request of `who`; returns the `RateLimit-*` headers, raises RateLimited when over."""
        if not self._enabled:
            return {}
        limit = self._limit(name, default)
        allowed = await self._strategy.hit(limit, name, who)
        stats = await self._strategy.get_window_stats(limit, name, who)
        wait = max(1, math.ceil(stats.reset_time - time.time()))
        headers = {
            "RateLimit-Limit": str(limit.amount),
            "RateLimit-Remaining": str(max(0, stats.remaining)),
            "RateLimit-Reset": str(wait),
        }
        if not allowed:
            raise RateLimited(headers={**headers, "Retry-After": str(wait)}, retry_after=wait, limit=name)
        return headers

    def _limit(self, name: str, default: str) -> RateLimitItem:
        text = self._overrides.get(name, default)
        if text not in self._parsed:
            self._parsed[text] = parse(text)
        return self._parsed[text]
