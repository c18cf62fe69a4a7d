"""Quotas: what a plan allows. Limits that are not money, per kind and per calendar day and month.

Every verb works in the caller's transaction and never commits.
"""

from hortus.quotas.defaults import BASIC, PRO, PlanSettings, PlanTerms, WindowTerms
from hortus.quotas.errors import AlreadyTaken, QuotaBroken, QuotaExceeded, UnknownPlan
from hortus.quotas.plans import HeldPlan, ensure_plans, offered_plans, plan_of, plan_stamp, publish_plan, set_plan
from hortus.quotas.usage import (
    PlanUsage,
    Take,
    WindowUsage,
    give_back,
    give_back_many,
    take,
    take_many,
    usage,
)

__all__ = [
    "BASIC",
    "PRO",
    "AlreadyTaken",
    "HeldPlan",
    "PlanSettings",
    "PlanTerms",
    "PlanUsage",
    "QuotaBroken",
    "QuotaExceeded",
    "Take",
    "UnknownPlan",
    "WindowTerms",
    "WindowUsage",
    "ensure_plans",
    "give_back",
    "give_back_many",
    "offered_plans",
    "plan_of",
    "plan_stamp",
    "publish_plan",
    "set_plan",
    "take",
    "take_many",
    "usage",
]
