"""What was used and what is left: of quotas and credits, and of the budgets of API keys."""

from hortus.generation.usage.service import usage_of

__all__ = ["usage_of"]
