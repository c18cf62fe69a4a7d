"""Request and response bodies of payments, webhook events, revenue and margins."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from hortus.admin.schemas import Reason
from hortus.core.schemas import Body, Id, MicroCredits, Time


class RefundIn(Body):
    """A refund of `amount_minor`, or of the rest of the payment."""

    amount_minor: Annotated[int, Field(gt=0, le=10**12)] | None = None
    reason: Reason


class AssignIn(Body):
    """Assign an unmatched payment either to an unpaid checkout of a pack, or to a user without a grant."""

    checkout_id: Id | None = None
    user_id: Id | None = None
    reason: Reason

    @model_validator(mode="after")
    def _is_one(self) -> "AssignIn":
        if (self.checkout_id is None) == (self.user_id is None):
            raise ValueError("pass either `checkout_id` or `user_id`")
        return self


class AdminPaymentOut(BaseModel):
    """A payment. `unmatched` fits no checkout: it granted nothing and an administrator must assign or refund it.

    `user_id` is null while the payer is unknown.
    """

    id: str
    user_id: str | None
    gateway: str
    external_id: str
    kind: str
    status: Literal["paid", "refunded", "partly_refunded", "disputed", "unmatched"]
    title: str
    amount_minor: int
    currency: str
    refunded_minor: int
    disputed_minor: int
    credits: MicroCredits
    clawback_taken: MicroCredits
    method: str | None
    checkout_id: str | None
    subscription_id: str | None
    period_start: Time | None
    period_end: Time | None
    paid_at: Time
    created_at: Time

    @classmethod
    def of(cls, row: Any) -> "AdminPaymentOut":
        """Build it from the row of a payment."""
        status = "paid"
        if row.disputed_minor:
            status = "disputed"
        elif row.refunded_minor:
            status = "refunded" if row.refunded_minor >= row.amount_minor else "partly_refunded"
        elif row.kind == "unmatched":
            status = "unmatched"
        columns = {name: getattr(row, name) for name in cls.model_fields if name != "status"}
        return cls.model_validate(columns | {"status": status})


class ReversalOut(BaseModel):
    """A refund, or a dispute with its status."""

    id: str
    external_id: str
    amount_minor: int
    status: str | None = None
    at: Time


class DocumentSummaryOut(BaseModel):
    """Summary of an invoice or credit note."""

    id: str
    kind: str
    number: str
    total_minor: int
    tax_minor: int


class PaymentDetailsOut(AdminPaymentOut):
    """One payment with its refunds, disputes, invoices and credit notes."""

    refunds: list[ReversalOut]
    disputes: list[ReversalOut]
    documents: list[DocumentSummaryOut]


class WebhookEventOut(BaseModel):
    """One webhook event of a gateway.

    `ignored` needs no processing; `failed` exhausted its attempts and can be replayed.
    """

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
    processed_at: Time | None


class WebhookEventDetailsOut(WebhookEventOut):
    """One event with its body; null when it was found by polling the gateway."""

    body: str | None


class RevenueOut(BaseModel):
    """One month at one gateway in one currency. `sandbox` is not real money."""

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
    """Months, oldest first, in the calendar of quotas; months without payments are omitted."""

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
