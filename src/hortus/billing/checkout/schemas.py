"""Schemas of checkouts."""

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints, model_validator

from hortus.billing.price_list.schemas import Currency, GatewayName, Name
from hortus.billing.tables import Checkout
from hortus.core.schemas import Body, Id, MicroCredits, Time

PathHere = Annotated[str, StringConstraints(max_length=301, pattern=r"^/([^/\\\x00-\x20][^\\\x00-\x20]{0,299})?$")]
"""A path on the shop's own origin, never another site."""


class BuyCredits(Body):
    """A pack by name, or an amount of your choice in a currency, in its minor unit."""

    pack: Name | None = None
    amount_minor: int | None = Field(None, gt=0, le=10**12)
    currency: Currency | None = None
    gateway: GatewayName | None = None
    coupon: str | None = Field(None, min_length=1, max_length=60)
    success_path: PathHere = "/"
    cancel_path: PathHere = "/"

    @model_validator(mode="after")
    def _one_of_both(self) -> "BuyCredits":
        if (self.pack is None) == (self.amount_minor is None):
            raise ValueError("give either `pack` or `amount_minor`")
        if self.amount_minor is not None and self.currency is None:
            raise ValueError("say in which `currency` the amount is")
        return self


class CheckoutOut(BaseModel):
    """A checkout. Send the buyer to `checkout_url`, or open the gateway's form with `order`."""

    checkout_id: str
    status: str
    gateway: str
    kind: str
    title: str
    checkout_url: str | None
    order: dict[str, object] | None
    amount_minor: int
    discount_minor: int
    currency: str
    credits: MicroCredits
    trial_days: int
    created_at: Time

    @classmethod
    def of(cls, row: Checkout) -> "CheckoutOut":
        """From the row."""
        return cls(
            checkout_id=row.id,
            status=row.status,
            gateway=row.gateway,
            kind=row.kind,
            title=row.title,
            checkout_url=row.url if row.status == "open" else None,
            order=row.order if row.status == "open" else None,
            amount_minor=row.amount_minor,
            discount_minor=row.discount_minor,
            currency=row.currency,
            credits=row.credits,
            trial_days=row.trial_days,
            created_at=row.created_at,
        )


class CheckoutId(BaseModel):
    """The stored response of an idempotency key."""

    checkout_id: Id
