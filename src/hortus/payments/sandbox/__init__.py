"""A payment vendor of our own, for those who try Hortus and for tests: no key, no money, every event."""

from hortus.payments.sandbox.adapter import Adapter, is_on

__all__ = ["Adapter", "is_on"]
