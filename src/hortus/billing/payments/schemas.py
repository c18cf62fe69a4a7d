"""Schemas of payments and the portal."""

from typing import Literal

from pydantic import BaseModel

from hortus.billing.checkout.schemas import PathHere
from hortus.billing.tables import Payment
from hortus.core.schemas import Body, MicroCredits, Time


class OpenPortal(Body):
    """The path to return to from the portal."""

    return_path: PathHere = "/"


class PaymentOut(BaseModel):
    """A payment with its refunded and disputed amounts."""

    id: str
    kind: str
    title: str
    gateway: str
    method: str | None
    amount_minor: int
    currency: str
    credits: MicroCredits
    refunded_minor: int
    disputed_minor: int
    status: Literal["paid", "refunded", "partly_refunded", "disputed"]
    period_start: Time | None
    period_end: Time | None
    paid_at: Time

    @classmethod
    def of(cls, row: Payment) -> "PaymentOut":
        """From the row."""
        status: Literal["paid", "refunded", "partly_refunded", "disputed"] = "paid"
        if row.disputed_minor:
            status = "disputed"
        elif row.refunded_minor:
            status = "refunded" if row.refunded_minor >= row.amount_minor else "partly_refunded"
        return cls(
            id=row.id,
            kind=row.kind,
            title=row.title,
            gateway=row.gateway,
            method=row.method,
            amount_minor=row.amount_minor,
            currency=row.currency,
            credits=row.credits,
            refunded_minor=row.refunded_minor,
            disputed_minor=row.disputed_minor,
            status=status,
            period_start=row.period_start,
            period_end=row.period_end,
            paid_at=row.paid_at,
        )


class PortalOut(BaseModel):
    """The URL of the customer portal."""

    url: str
