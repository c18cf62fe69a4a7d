"""Sandbox gateway for evaluation and tests: no account, no real money, every kind of event."""

from hortus.payments.sandbox.adapter import Adapter, is_on

__all__ = ["Adapter", "is_on"]
