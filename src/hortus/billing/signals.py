"""Signals for packages above billing. Each handler runs in the transaction that booked the change."""

from hortus.core.signals import Signal

payment_received: Signal[str] = Signal("payment_received")
"""A payment was booked: its id, once per payment."""
payment_failed: Signal[str] = Signal("payment_failed")
"""An attempt to pay failed: the id of the failed payment, once per attempt."""
payment_reversed: Signal[str] = Signal("payment_reversed")
"""A refund was booked: its id, once per refund."""
