"""Quotas: plans and their limits per kind and calendar day and month, and budgets of API keys.

Every function works in the caller's transaction and never commits.
"""

from hortus.quotas.budgets import BudgetRestore, BudgetUse, consume_budgets, restore_budgets
from hortus.quotas.defaults import BASIC, PRO, QUALITIES, PlanSettings, PlanTerms, WindowTerms
from hortus.quotas.errors import (
    AlreadyConsumed,
    KeyBudgetExceeded,
    QualityNotInPlan,
    QuotaBroken,
    QuotaExceeded,
    UnknownPlan,
)
from hortus.quotas.history import BudgetLeft, KeyHistory, KeyUsage, budgets_left, histories, month_of_keys
from hortus.quotas.plans import (
    PlanVersion,
    PlanVersionRow,
    end_plan,
    end_sale,
    ensure_plans,
    offered_plans,
    plan_cache_key,
    plan_name,
    plan_of,
    plan_version,
    plan_versions,
    publish_plan,
    set_plan,
)
from hortus.quotas.usage import (
    PlanUsage,
    QuotaUse,
    WindowUsage,
    consume,
    consume_many,
    restore,
    restore_many,
    usage,
)
from hortus.quotas.windows import days_before

__all__ = [
    "BASIC",
    "PRO",
    "QUALITIES",
    "AlreadyConsumed",
    "BudgetLeft",
    "BudgetRestore",
    "BudgetUse",
    "KeyBudgetExceeded",
    "KeyHistory",
    "KeyUsage",
    "PlanSettings",
    "PlanTerms",
    "PlanUsage",
    "PlanVersion",
    "PlanVersionRow",
    "QualityNotInPlan",
    "QuotaBroken",
    "QuotaExceeded",
    "QuotaUse",
    "UnknownPlan",
    "WindowTerms",
    "WindowUsage",
    "budgets_left",
    "consume",
    "consume_budgets",
    "consume_many",
    "days_before",
    "end_plan",
    "end_sale",
    "ensure_plans",
    "histories",
    "month_of_keys",
    "offered_plans",
    "plan_cache_key",
    "plan_name",
    "plan_of",
    "plan_version",
    "plan_versions",
    "publish_plan",
    "restore",
    "restore_budgets",
    "restore_many",
    "set_plan",
    "usage",
]
