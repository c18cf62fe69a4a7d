"""Rate limits of the free plan: images and videos ten an hour, whatever the quota says."""

import time
from collections import OrderedDict

from starlette.requests import Request

from hortus import quotas
from hortus.core.db import Database
from hortus.core.settings import Settings
from hortus.core.web import hit_limit, resources_of

LIMITED_PLAN, DEFAULT = "basic", "10/hour"
KEPT_SECONDS, KEPT_USERS = 30.0, 10_000


class PlanNames:
    """Which plan a user is on, remembered for half a minute: only rate limits rely on it."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[float, str]] = OrderedDict()

    async def of(self, database: Database, user_id: str) -> str:
        """The name of the user's plan."""
        found = self._known.get(user_id)
        if found is None or found[0] < time.monotonic():
            async with database.snapshot() as tx:
                name = (await quotas.plan_of(tx, user_id)).terms.name
            found = self._known[user_id] = (time.monotonic() + KEPT_SECONDS, name)
            if len(self._known) > KEPT_USERS:
                self._known.popitem(last=False)
        return found[1]


async def limit_basic(request: Request, user_id: str, name: str) -> None:
    """Count one request for media of a user on the free plan; raises RateLimited."""
    resources = resources_of(request)
    if not resources.get(Settings).rate_limits_enabled:
        return
    if await resources.get(PlanNames).of(resources.get(Database), user_id) == LIMITED_PLAN:
        await hit_limit(request, name, DEFAULT, user_id)
