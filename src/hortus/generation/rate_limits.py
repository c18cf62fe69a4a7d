"""Rate limits of the free plan: ten images and ten videos an hour, beside the quota."""

from starlette.requests import Request

from hortus.core import rate_limits
from hortus.core.db import Database
from hortus.core.settings import Settings
from hortus.core.web.deps import hit_limit, resources_of
from hortus.generation.state import GenerationState

LIMITED_PLAN, DEFAULT = "basic", "10/hour"
rate_limits.declare("image", "video")


async def limit_basic(request: Request, user_id: str, name: str) -> None:
    """Count one request for media of a user on the free plan; raises RateLimited."""
    resources = resources_of(request)
    if not resources[Settings].rate_limits_enabled:
        return
    if await resources[GenerationState].plan_names.of(resources[Database], user_id) == LIMITED_PLAN:
        await hit_limit(request, name, DEFAULT, user_id)
