"""What comes in and goes out of `/api/payment`."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints, model_validator

from hortus.billing.tables import Checkout, Payment, Subscription
from hortus.core.schemas import Body, Id, MicroCredits, Time
from hortus.payments import Gateway
from hortus.quotas import PlanVersion

Currency = Annotated[str, StringConstraints(max_length=3, pattern=r"^[A-Za-z]{3}$", to_upper=True)]
Name = Annotated[str, StringConstraints(max_length=20, pattern=r"^[A-Za-z0-9_-]{1,20}$")]
GatewayName = Annotated[str, StringConstraints(max_length=40, pattern=r"^[a-z0-9_-]{1,40}$")]
GatewayId = Annotated[str, StringConstraints(max_length=40)]
PathHere = Annotated[str, StringConstraints(max_length=301, pattern=r"^/([^/\\\x00-\x20][^\\\x00-\x20]{0,299})?$")]
"""A path on the shop's own origin: never somebody else's site."""
Interval = Literal["month", "year"]


# In --------------------------------------------------------------------------


class BuyPlan(Body):
    """What to subscribe to, where, and in which currency; what is left out is chosen."""

    plan: Name = "pro"
    interval: Interval = "month"
    currency: Currency | None = None
    gateway: GatewayName | None = None
    coupon: str | None = Field(None, min_length=1, max_length=60)
    success_path: PathHere = "/"
    cancel_path: PathHere = "/"


class ChangePlan(Body):
    """Another plan or interval. Without `confirm` nothing happens but the answer."""

    plan: Name
    interval: Interval = "month"
    confirm: bool = False


class CancelPlan(Body):
    """When it ends."""

    at: Literal["period_end", "now"] = "period_end"


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


class OpenPortal(Body):
    """Where to come back to."""

    return_path: PathHere = "/"


# Out -------------------------------------------------------------------------


class PriceOut(BaseModel):
    """What one interval costs, in the minor unit of the currency."""

    currency: str
    interval: Interval
    amount_minor: int


class WindowOut(BaseModel):
    """How often a kind may be made; a null limit is unlimited."""

    kind: str
    window: str
    limit: int | None


class PlanOut(BaseModel):
    """A plan that can be had."""

    id: str
    name: str
    version: int
    title: str
    prices: list[PriceOut]
    monthly_credits: MicroCredits
    windows: list[WindowOut]
    features: list[str]
    qualities: list[str]
    trial_days: int

    @classmethod
    def of(cls, plan: PlanVersion) -> "PlanOut":
        """From one version of a plan."""
        terms = plan.terms
        intervals: tuple[Interval, ...] = ("month", "year")
        return cls(
            id=plan.id,
            name=plan.name,
            version=plan.version,
            title=terms.title,
            prices=[
                PriceOut(currency=currency, interval=interval, amount_minor=amount)
                for interval in intervals
                for currency, amount in sorted(terms.prices_per(interval).items())
            ],
            monthly_credits=terms.monthly_credits,
            windows=[WindowOut(kind=each.kind, window=each.window, limit=each.limit) for each in terms.windows],
            features=list(terms.features),
            qualities=list(terms.qualities),
            trial_days=terms.trial_days,
        )


class PackOut(BaseModel):
    """Credit that can be bought; `prices` in the minor unit by currency."""

    id: str
    name: str
    title: str
    credits: MicroCredits
    prices: dict[str, int]


class AmountOut(BaseModel):
    """Any amount between two can be bought in this currency, at this rate."""

    currency: str
    credits_per_hundred: MicroCredits = Field(description="Micro-credits for a hundred minor units")
    min_minor: int
    max_minor: int


class GatewayOut(BaseModel):
    """Where one can pay."""

    id: str
    title: str
    currencies: list[str]
    subscriptions: bool

    @classmethod
    def of(cls, gateway: Gateway) -> "GatewayOut":
        """From an adapter."""
        can = gateway.capabilities
        return cls(id=gateway.id, title=gateway.title, currencies=list(can.currencies), subscriptions=can.subscriptions)


class PriceList(BaseModel):
    """All that is for sale."""

    plans: list[PlanOut]
    packs: list[PackOut]
    amounts: list[AmountOut]
    gateways: list[GatewayOut]


class CheckoutOut(BaseModel):
    """An order. Send the buyer to `checkout_url`, or open the gateway's own form with `order`."""

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
        """From the order."""
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


class SubscriptionOut(BaseModel):
    """What is paid again and again."""

    id: str
    gateway: str
    status: str
    plan: str
    interval: str
    currency: str
    period_start: Time
    period_end: Time
    paid_until: Time
    trial_end: Time | None
    cancels_at_period_end: bool
    next_plan: str | None
    next_interval: str | None

    @classmethod
    def of(cls, row: Subscription, plan: str, next_plan: str | None) -> "SubscriptionOut":
        """From the row and the names of its plans."""
        return cls(
            id=row.id,
            gateway=row.gateway,
            status=row.status,
            plan=plan,
            interval=row.interval,
            currency=row.currency,
            period_start=row.period_start,
            period_end=row.period_end,
            paid_until=row.paid_until,
            trial_end=row.trial_end,
            cancels_at_period_end=row.cancels_at_period_end,
            next_plan=next_plan,
            next_interval=row.next_interval,
        )


class SubscriptionDetails(BaseModel):
    """The plan somebody has, until when, and the subscription behind it, if one runs."""

    plan: PlanOut
    until: Time | None
    subscription: SubscriptionOut | None


class ChangeOut(BaseModel):
    """What a change costs, and whether it was done. `due_minor` is charged at once; 0 without a payment now."""

    applied: bool
    plan: str
    interval: Interval
    amount_minor: int
    currency: str
    due_minor: int
    unused_minor: int
    takes_effect: Literal["now", "next_period"]
    effective_at: Time | None


class PaymentOut(BaseModel):
    """Money that arrived, and what went back of it."""

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
    """Where to go."""

    url: str


class Received(BaseModel):
    """The answer to a webhook call: the news is written down."""

    received: bool = True


class CheckoutId(BaseModel):
    """What an idempotency key remembers of an order."""

    checkout_id: Id
