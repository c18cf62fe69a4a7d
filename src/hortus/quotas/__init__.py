"""Quotas: what a plan allows. Limits that are not money, per kind and per calendar day and month.

Every verb works in the caller's transaction and never commits.
"""

from hortus.quotas.budgets import Spend, Unspend, spend_many, unspend_many
from hortus.quotas.defaults import BASIC, PRO, QUALITIES, PlanSettings, PlanTerms, WindowTerms
from hortus.quotas.errors import (
    AlreadyTaken,
    KeyBudgetExceeded,
    QualityNotInPlan,
    QuotaBroken,
    QuotaExceeded,
    UnknownPlan,
)
from hortus.quotas.history import BudgetLeft, KeyHistory, Spent, budgets_left, histories, month_of_keys
from hortus.quotas.plans import (
    HeldPlan,
    PlanMade,
    end_plan,
    end_sale,
    ensure_plans,
    offered_plans,
    plan_of,
    plan_stamp,
    plan_version,
    plan_versions,
    publish_plan,
    set_plan,
)
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
from hortus.quotas.windows import days_before

__all__ = [
    "BASIC",
    "PRO",
    "QUALITIES",
    "AlreadyTaken",
    "BudgetLeft",
    "HeldPlan",
    "KeyBudgetExceeded",
    "KeyHistory",
    "PlanMade",
    "PlanSettings",
    "PlanTerms",
    "PlanUsage",
    "QualityNotInPlan",
    "QuotaBroken",
    "QuotaExceeded",
    "Spend",
    "Spent",
    "Take",
    "UnknownPlan",
    "Unspend",
    "WindowTerms",
    "WindowUsage",
    "budgets_left",
    "days_before",
    "end_plan",
    "end_sale",
    "ensure_plans",
    "give_back",
    "give_back_many",
    "histories",
    "month_of_keys",
    "offered_plans",
    "plan_of",
    "plan_stamp",
    "plan_version",
    "plan_versions",
    "publish_plan",
    "set_plan",
    "spend_many",
    "take",
    "take_many",
    "unspend_many",
    "usage",
]
