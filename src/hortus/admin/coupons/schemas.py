"""Request and response bodies of coupons."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

from hortus.admin.schemas import Reason
from hortus.core import clock
from hortus.core.schemas import Body, DateTimeIn, Line, MicroCredits, Time
from hortus.core.security.credentials import Credential

CouponKind = Literal["percent", "amount", "credit"]
Micro = Annotated[str, StringConstraints(max_length=15, pattern=r"^[1-9][0-9]{0,14}$")]
Code = Annotated[str, StringConstraints(max_length=40, pattern=r"^[A-Za-z0-9-]{4,40}$")]
Currency = Annotated[str, StringConstraints(max_length=3, pattern=r"^[A-Za-z]{3}$", to_upper=True)]
Sold = Annotated[str, StringConstraints(max_length=20, pattern=r"^[A-Za-z0-9_-]{1,20}$")]
VALUES = {"percent": {"percent"}, "amount": {"amount_minor", "currency"}, "credit": {"credits"}}
"""Value fields that each kind requires."""


class CouponIn(Body):
    """Create a coupon with the given `code`, or `count` coupons with random codes. A null limit is unlimited."""

    kind: CouponKind
    name: Annotated[str, StringConstraints(min_length=1, max_length=80), Line]
    percent: int | None = Field(None, ge=1, le=100)
    amount_minor: int | None = Field(None, gt=0, le=10**12)
    currency: Currency | None = None
    credits: Micro | None = Field(None, description="Micro-credits that a gift coupon grants")
    credit_days: int | None = Field(None, ge=1, le=3650, description="Days until credits of a gift expire")
    plan: Sold | None = Field(None, description="Valid for this plan only")
    pack: Sold | None = Field(None, description="Valid for this pack only")
    limit_total: int | None = Field(1, ge=1, le=10**9)
    limit_per_user: int | None = Field(1, ge=1, le=10**6)
    starts_at: DateTimeIn | None = None
    ends_at: DateTimeIn | None = None
    code: Code | None = None
    count: int = Field(1, ge=1, le=200)
    reason: Reason

    @model_validator(mode="after")
    def _fits(self) -> Self:
        values = set().union(*VALUES.values())
        given = {name for name in values if getattr(self, name) is not None}
        if given != VALUES[self.kind]:
            raise ValueError(f"kind {self.kind} requires {' and '.join(sorted(VALUES[self.kind]))} and no other value")
        if self.kind == "credit" and (self.plan is not None or self.pack is not None):
            raise ValueError("plan and pack must be null for kind credit")
        if self.kind != "credit" and self.credit_days is not None:
            raise ValueError("credit_days is allowed for kind credit only")
        if self.code is not None and (self.count > 1 or sum(map(str.isalnum, self.code)) < 4):
            raise ValueError("code needs at least four letters or digits, and count 1")
        if self.ends_at is not None and self.ends_at <= (self.starts_at or clock.now()):
            raise ValueError("ends_at must be later than starts_at and than now")
        return self


class CouponOut(BaseModel):
    """One coupon without its code. `hint` is the end of the code, `taken` counts reserved and used redemptions."""

    id: str
    hint: str
    kind: CouponKind
    name: str
    percent: int | None
    amount_minor: int | None
    currency: str | None
    credits: MicroCredits | None
    credit_days: int | None
    plan: str | None
    pack: str | None
    limit_total: int | None
    limit_per_user: int | None
    taken: int
    starts_at: Time | None
    ends_at: Time | None
    active: bool
    created_at: Time


class NewCouponOut(CouponOut):
    """A new coupon; `code` is returned in this response only."""

    code: Credential


class NewCouponsOut(BaseModel):
    """The new coupons."""

    items: list[NewCouponOut]


class RedemptionOut(BaseModel):
    """One redemption."""

    id: str
    user_id: str
    checkout_id: str | None
    status: Literal["reserved", "used", "returned"]
    created_at: Time
    closed_at: Time | None
