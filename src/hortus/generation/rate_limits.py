"""Rate limits of the free plan: ten images and ten videos an hour, beside the quota."""

from starlette.requests import Request

from hortus import quotas
from hortus.core import rate_limits
from hortus.core.cache import CacheVersions, VersionedCache
from hortus.core.db import Database
from hortus.core.settings import Settings
from hortus.core.web.deps import hit_limit, resources_of

LIMITED_PLAN, DEFAULT = "basic", "10/hour"
CACHE_SECONDS = 30.0
rate_limits.declare("image", "video")


class PlanNames:
    """Cached plan names of users, until the plan changes or for half a minute; for rate limits only."""

    def __init__(self, versions: CacheVersions) -> None:
        self._names: VersionedCache[str] = VersionedCache(versions, CACHE_SECONDS, name="plans")

    async def of(self, database: Database, user_id: str) -> str:
        """The name of the user's plan."""

        async def read() -> str:
            return await quotas.plan_name(database, user_id)

        return await self._names.get((quotas.plan_cache_key(user_id),), read)


async def limit_basic(request: Request, user_id: str, name: str) -> None:
    """Count one request for media of a user on the free plan; raises RateLimited."""
    resources = resources_of(request)
    if not resources.get(Settings).rate_limits_enabled:
        return
    if await resources.get(PlanNames).of(resources.get(Database), user_id) == LIMITED_PLAN:
        await hit_limit(request, name, DEFAULT, user_id)
