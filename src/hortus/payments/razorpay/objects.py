"""Convert Razorpay's objects."""

from datetime import UTC, datetime
from typing import Any

from hortus.payments.base import Paid
from hortus.payments.razorpay.client import Entity


def reference_of(entity: Entity | None) -> str | None:
    """Our checkout id, from the notes that only we can write."""
    notes = entity.get("notes") if entity is not None else None
    found = notes.get("reference") if isinstance(notes, dict) else None
    return found if isinstance(found, str) else None


def moment(timestamp: Any) -> datetime:
    """A timestamp of Razorpay as datetime."""
    return datetime.fromtimestamp(whole(timestamp), UTC)


def whole(value: Any) -> int:
    """Check that a value is a non-negative integer. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("not a whole number")
    return value


def paid_of(payment: Entity) -> Paid:
    """A captured payment. Razorpay does not report the capture time; the creation time is used."""
    method = payment.get("method")
    return Paid(
        payment["id"],
        whole(payment["amount"]),
        payment["currency"].upper(),
        moment(payment["created_at"]),
        method[:40] if isinstance(method, str) else None,
    )
