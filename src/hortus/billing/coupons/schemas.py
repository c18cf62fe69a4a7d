"""Schemas of `/api/payment/redeem`."""

from typing import Literal

from pydantic import BaseModel, Field

from hortus.billing.coupons.tables import Coupon
from hortus.core.schemas import Body, MicroCredits, Time


class RedeemIn(Body):
    """A coupon code; case, spaces and hyphens are ignored."""

    code: str = Field(min_length=1, max_length=60)


class RedeemedOut(BaseModel):
    """The effect of a code: credits that were granted (`applied`), or its discount as `coupon` at checkout."""

    kind: Literal["percent", "amount", "credit"]
    applied: bool
    detail: str
    credits: MicroCredits | None = None
    expires_at: Time | None = None
    percent: int | None = None
    amount_minor: int | None = None
    currency: str | None = None
    plan: str | None = None
    pack: str | None = None
    ends_at: Time | None = None

    @classmethod
    def promised(cls, row: Coupon) -> "RedeemedOut":
        """The discount of a coupon at checkout."""
        return cls(
            kind="percent" if row.kind == "percent" else "amount",
            applied=False,
            detail="Send this code as `coupon` when you start a checkout.",
            percent=row.percent,
            amount_minor=row.amount_minor,
            currency=row.currency,
            plan=row.plan,
            pack=row.pack,
            ends_at=row.ends_at,
        )
