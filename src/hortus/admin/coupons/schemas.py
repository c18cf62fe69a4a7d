"""Coupons on the wire, as operators see them."""

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
"""Which fields say what a kind is worth."""


class CouponIn(Body):
    """Make one code of your choice, or `count` random ones. A null limit is no limit."""

    kind: CouponKind
    name: Annotated[str, StringConstraints(min_length=1, max_length=80), Line]
    percent: int | None = Field(None, ge=1, le=100)
    amount_minor: int | None = Field(None, gt=0, le=10**12)
    currency: Currency | None = None
    credits: Micro | None = Field(None, description="Micro-credits that a gift code grants")
    credit_days: int | None = Field(None, ge=1, le=3650, description="For how many days a gift can be spent")
    plan: Sold | None = Field(None, description="Only for this plan")
    pack: Sold | None = Field(None, description="Only for this pack")
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
            raise ValueError(f"a coupon of kind {self.kind} takes {' and '.join(sorted(VALUES[self.kind]))} only")
        if self.kind == "credit" and (self.plan is not None or self.pack is not None):
            raise ValueError("a gift is for no plan or pack")
        if self.kind != "credit" and self.credit_days is not None:
            raise ValueError("only gifts take credit_days")
        if self.code is not None and (self.count > 1 or sum(map(str.isalnum, self.code)) < 4):
            raise ValueError("a code of your own is one code with four letters or digits at least")
        if self.ends_at is not None and self.ends_at <= (self.starts_at or clock.now()):
            raise ValueError("it ends before it starts")
        return self


class CouponOut(BaseModel):
    """One code without its text: `hint` is its end. `taken` are the uses that are reserved or done."""

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
    """A code as it was just made: `code` is shown in this answer and nowhere else."""

    code: Credential


class NewCouponsOut(BaseModel):
    """What was made."""

    items: list[NewCouponOut]


class RedemptionOut(BaseModel):
    """One use."""

    id: str
    user_id: str
    checkout_id: str | None
    status: Literal["reserved", "used", "returned"]
    created_at: Time
    closed_at: Time | None
