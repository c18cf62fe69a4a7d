"""Errors of quotas and budgets."""

import math
from collections.abc import Sequence
from datetime import datetime

from hortus.core import clock
from hortus.core.errors import Conflict, Problem

UPGRADE_URL = "/api/payment/plans"


class QuotaExceeded(Problem):
    """A limit of the plan is reached. Names its kind and window, and when the window resets."""

    code, status, title = "quota_exceeded", 429, "The limit of your plan is reached"

    def __init__(self, *, kind: str, window: str, limit: int, used: int, resets_at: datetime, now: datetime) -> None:
        wait = max(1, math.ceil((resets_at - now).total_seconds()))
        super().__init__(
            f"Your plan allows {limit} of `{kind}` a {window} and {used} are used. "
            "Wait until `resets_at`, or choose a larger plan at `upgrade_url`.",
            headers={"Retry-After": str(wait)},
            kind=kind,
            window=window,
            limit=limit,
            used=used,
            resets_at=clock.iso(resets_at),
            retry_after=wait,
            upgrade_url=UPGRADE_URL,
        )


class QualityNotInPlan(Problem):
    """The plan does not include the requested quality."""

    code, status, title = "quality_not_in_plan", 403, "Your plan does not bring this quality"
    detail = "Ask for one of `qualities`, or choose a larger plan at `upgrade_url`."

    def __init__(self, quality: str, qualities: Sequence[str]) -> None:
        super().__init__(quality=quality, qualities=list(qualities), upgrade_url=UPGRADE_URL)


class KeyBudgetExceeded(Problem):
    """A budget of the API key is used up. Names it, and when it resets."""

    code, status, title = "key_budget_exceeded", 429, "The budget of this API key is used up"
    detail = "Wait until `resets_at`, or raise the budget of the key in your account."

    def __init__(self, *, budget: str, window: str, limit: int, used: int, resets_at: datetime, now: datetime) -> None:
        wait = max(1, math.ceil((resets_at - now).total_seconds()))
        super().__init__(
            headers={"Retry-After": str(wait)},
            budget=budget,
            window=window,
            limit=str(limit) if budget == "credits" else limit,
            used=str(used) if budget == "credits" else used,
            resets_at=clock.iso(resets_at),
            retry_after=wait,
        )


class AlreadyConsumed(Conflict):
    """A use with this reference was counted before."""

    code, title = "already_consumed", "This was counted before"

    def __init__(self, reference: str) -> None:
        super().__init__("This was counted before; read its state.", reference=reference)


class UnknownPlan(LookupError):
    """No plan has this name or id: a programming error, or `ensure_plans` never ran."""


class QuotaBroken(RuntimeError):
    """A row changed despite its lock. The transaction must be rolled back."""
