"""Money on the wire, for the operator's people."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from hortus.admin.schemas import Reason
from hortus.core.schemas import Body, Id, MicroCredits, Time


class RefundIn(Body):
    """Give money back: all that is left of the payment, or `amount_minor` of it."""

    amount_minor: Annotated[int, Field(gt=0, le=10**12)] | None = None
    reason: Reason


class AssignIn(Body):
    """Assign an unmatched payment to an unpaid order of credit, or to a user without credit: one of the two."""

    checkout_id: Id | None = None
    user_id: Id | None = None
    reason: Reason

    @model_validator(mode="after")
    def _is_one(self) -> "AssignIn":
        if (self.checkout_id is None) == (self.user_id is None):
            raise ValueError("give either `checkout_id` or `user_id`")
        return self


class MoneyOut(BaseModel):
    """A payment as staff sees it. `unmatched` fits no order: it granted nothing and waits for somebody to act.

    `user_id` is null while nobody is known to have paid it.
    """

    id: str
    user_id: str | None
    gateway: str
    vendor_id: str
    kind: str
    status: Literal["paid", "refunded", "partly_refunded", "disputed", "unmatched"]
    title: str
    amount_minor: int
    currency: str
    refunded_minor: int
    disputed_minor: int
    credits: MicroCredits
    clawed_credits: MicroCredits
    method: str | None
    checkout_id: str | None
    subscription_id: str | None
    period_start: Time | None
    period_end: Time | None
    paid_at: Time
    created_at: Time

    @classmethod
    def of(cls, row: Any) -> "MoneyOut":
        """From the row."""
        status = "paid"
        if row.disputed_minor:
            status = "disputed"
        elif row.refunded_minor:
            status = "refunded" if row.refunded_minor >= row.amount_minor else "partly_refunded"
        elif row.kind == "unmatched":
            status = "unmatched"
        same = {name: getattr(row, name) for name in cls.model_fields if name != "status"}
        return cls.model_validate(same | {"status": status})


class BackOut(BaseModel):
    """A refund, or a dispute with its status."""

    id: str
    vendor_id: str
    amount_minor: int
    status: str | None = None
    at: Time


class PaperOut(BaseModel):
    """An invoice or a credit note, in short."""

    id: str
    kind: str
    number: str
    total_minor: int
    tax_minor: int


class PaymentDetailsOut(MoneyOut):
    """One payment, what went back of it, and its papers."""

    refunds: list[BackOut]
    disputes: list[BackOut]
    papers: list[PaperOut]


class WebhookEventOut(BaseModel):
    """One piece of news from a gateway. `kept` needs no work; `dead` was tried too often and may be replayed."""

    id: str
    gateway: str
    event_id: str
    kind: str
    subject_kind: str | None
    subject_id: str | None
    status: str
    failure: str | None
    occurred_at: Time
    received_at: Time
    handled_at: Time | None


class WebhookEventDetailsOut(WebhookEventOut):
    """With the body as it came; null when the gateway's own list told, not a call."""

    body: str | None


class RevenueOut(BaseModel):
    """One month at one gateway in one currency. `sandbox` is play money."""

    month: str
    gateway: str
    currency: str
    payments: int
    paid_minor: int
    refunded_minor: int
    disputed_minor: int
    net_minor: int
    mrr_minor: int
    new_subscriptions: int
    churned_subscriptions: int


class RevenueList(BaseModel):
    """Months, oldest first, in the calendar of quotas; months without anything are left out."""

    since: date
    items: list[RevenueOut]


class MarginOut(BaseModel):
    """One model at one provider. Price in micro-credits; cost in millionths of `cost_currency`."""

    model: str
    provider: str | None
    works: int
    succeeded: int
    price_credits: MicroCredits
    cost_currency: str | None
    cost_millionths: int


class MarginList(BaseModel):
    """One month, in the calendar of quotas."""

    month: str
    items: list[MarginOut]
