"""Schemas of subscriptions."""

from typing import Literal

from pydantic import BaseModel, Field

from hortus.billing.checkout.schemas import PathHere
from hortus.billing.price_list.schemas import Currency, GatewayName, Interval, Name, PlanOut
from hortus.billing.tables import Subscription
from hortus.core.schemas import Body, Time


class BuyPlan(Body):
    """The plan, interval, currency and gateway; omitted fields are chosen by the server."""

    plan: Name = "pro"
    interval: Interval = "month"
    currency: Currency | None = None
    gateway: GatewayName | None = None
    coupon: str | None = Field(None, min_length=1, max_length=60)
    success_path: PathHere = "/"
    cancel_path: PathHere = "/"


class ChangePlan(Body):
    """Another plan or interval. Without `confirm` nothing is changed."""

    plan: Name
    interval: Interval = "month"
    confirm: bool = False


class CancelPlan(Body):
    """When the subscription ends."""

    at: Literal["period_end", "now"] = "period_end"


class SubscriptionOut(BaseModel):
    """A subscription."""

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
    """The current plan, its end, and the active subscription, if any."""

    plan: PlanOut
    until: Time | None
    subscription: SubscriptionOut | None


class ChangeOut(BaseModel):
    """The cost of a change and whether it was applied. `due_minor` is charged at once."""

    applied: bool
    plan: str
    interval: Interval
    amount_minor: int
    currency: str
    due_minor: int
    unused_minor: int
    takes_effect: Literal["now", "next_period"]
    effective_at: Time | None
