"""What others may want to know of money; each receiver works in the transaction that brought it."""

from hortus.core.signals import Signal

payment_received: Signal[str] = Signal("payment_received")
"""Money arrived and was booked: the payment's id, once per payment."""
payment_matched: Signal[str] = Signal("payment_matched")
"""An administrator assigned a payment that had fitted no order: the payment's id, once per payment."""
payment_failed: Signal[str] = Signal("payment_failed")
"""A try to pay failed: the failed payment's id, once per try."""
payment_reversed: Signal[str] = Signal("payment_reversed")
"""Money went back: the refund's id, once per refund."""
dispute_lost: Signal[str] = Signal("dispute_lost")
"""A dispute was lost, and the money with it: the dispute's id, once per dispute."""
subscription_duplicate: Signal[str] = Signal("subscription_duplicate")
"""A second subscription of somebody who has one: its id, once. It must be cancelled and given back."""
