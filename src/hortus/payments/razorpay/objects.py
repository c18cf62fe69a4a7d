"""Razorpay's objects in our own words."""

from datetime import UTC, datetime
from typing import Any

from hortus.payments.base import Paid
from hortus.payments.razorpay.client import Entity


def reference_of(entity: Entity | None) -> str | None:
    """The id of our order, from the notes that only we can write."""
    notes = entity.get("notes") if entity is not None else None
    found = notes.get("reference") if isinstance(notes, dict) else None
    return found if isinstance(found, str) else None


def moment(stamp: Any) -> datetime:
    """A time of Razorpay's."""
    return datetime.fromtimestamp(whole(stamp), UTC)


def whole(value: Any) -> int:
    """A number that must be whole. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("not a whole number")
    return value


def paid_of(payment: Entity) -> Paid:
    """Money that arrived. Razorpay does not say when it captured; the payment's own time stands for it."""
    method = payment.get("method")
    return Paid(
        payment["id"],
        whole(payment["amount"]),
        payment["currency"].upper(),
        moment(payment["created_at"]),
        method[:40] if isinstance(method, str) else None,
    )
