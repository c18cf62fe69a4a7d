"""The parts of a profile that packages above `accounts` know: the plan and the usage summary."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from hortus.core.db.compiled_select import Executor


@dataclass(frozen=True, slots=True)
class ProfileExtensions:
    """Functions of quotas and generation, passed by `main`; each reads from a source for one user."""

    plan_of: Callable[[Executor, str], Awaitable[str]]
    """The name of the plan."""
    usage_of: Callable[[Executor, str], Awaitable[dict[str, Any]]]
    """The plan, every quota window and the credits, as `GET /api/user/usage` answers."""
