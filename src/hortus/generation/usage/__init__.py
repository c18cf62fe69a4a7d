"""Usage: quotas, credits and the budgets of API keys, used and left."""

from hortus.generation.usage.service import usage_of

__all__ = ["usage_of"]
