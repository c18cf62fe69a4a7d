"""Cached names of the plans of users."""

from hortus import quotas
from hortus.core.cache import CacheVersions, VersionedCache
from hortus.core.db import Database

CACHE_SECONDS = 30.0


class PlanNames:
    """Cached plan names of users, until the plan changes or for half a minute; for rate limits only."""

    def __init__(self, versions: CacheVersions) -> None:
        self._names: VersionedCache[str] = VersionedCache(versions, CACHE_SECONDS, name="plans")

    async def of(self, database: Database, user_id: str) -> str:
        """The name of the user's plan."""

        async def read() -> str:
            return await quotas.plan_name(database, user_id)

        return await self._names.get((quotas.plan_cache_key(user_id),), read)
