"""Automatic top-ups: a pack is bought with the saved card when the balance falls below a threshold."""

from hortus.billing.auto_topup.service import disable, finish

__all__ = ["disable", "finish"]
