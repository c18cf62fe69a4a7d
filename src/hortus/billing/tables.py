"""Tables of packs, gateway prices, checkouts, subscriptions, payments and webhook events.

Money is in the minor unit of its currency; credits are micro-credits. `user_id` is no foreign key: records of
payments are kept by law after an account is erased, and then reference an anonymised user.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, id_type

EXTERNAL_ID = String(255).with_variant(String(255, collation="C"), "postgresql")
GATEWAY = String(40)
CURRENCY = String(3)
_PERIOD = text("kind = 'subscription'")
_REFUNDED, _DISPUTED = text("refunded_minor > 0"), text("disputed_minor > 0")
_UNMATCHED = text("kind = 'unmatched'")
LIVE = "status IN ('trialing', 'active', 'past_due')"


class CreditPack(Base):
    """One version of a pack of credits. A version that was sold never changes; a change is a new version."""

    __tablename__ = "credit_packs"
    __table_args__ = (UniqueConstraint("name", "version"), CheckConstraint("credits > 0", "credits_positive"))

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    version: Mapped[int]
    title: Mapped[str] = mapped_column(String(80))
    credits: Mapped[int] = mapped_column(BigInteger)
    prices: Mapped[dict[str, int]] = mapped_column(JSON)
    active: Mapped[bool]
    defaults: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]


class GatewayPrice(Base):
    """The gateway's id of a recurring price of one version of a plan."""

    __tablename__ = "gateway_prices"
    __table_args__ = (UniqueConstraint("gateway", "external_id"),)

    gateway: Mapped[str] = mapped_column(GATEWAY, primary_key=True)
    plan_id: Mapped[str] = mapped_column(ForeignKey("plans.id"), primary_key=True)
    interval: Mapped[str] = mapped_column(String(10), primary_key=True)
    currency: Mapped[str] = mapped_column(CURRENCY, primary_key=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    external_id: Mapped[str] = mapped_column(EXTERNAL_ID)
    created_at: Mapped[datetime]


class Customer(Base):
    """The external customer id of a user at a gateway."""

    __tablename__ = "gateway_customers"
    __table_args__ = (UniqueConstraint("gateway", "external_id"),)

    user_id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    gateway: Mapped[str] = mapped_column(GATEWAY, primary_key=True)
    external_id: Mapped[str] = mapped_column(EXTERNAL_ID)


class Checkout(Base):
    """A checkout. Its price and credits are fixed when it is created and compared with the payment."""

    __tablename__ = "checkouts"
    __table_args__ = (
        UniqueConstraint("gateway", "external_id"),
        CheckConstraint("status IN ('new', 'open', 'paid', 'expired')", "status_is_known"),
        CheckConstraint("kind IN ('subscription', 'topup', 'auto_topup')", "kind_is_known"),
        CheckConstraint("amount_minor >= 0 AND discount_minor >= 0 AND credits >= 0", "amounts_not_negative"),
        Index(None, "user_id", "id"),
        Index("ix_checkouts_waiting", "created_at", postgresql_where=text("status IN ('new', 'open')"),
              sqlite_where=text("status IN ('new', 'open')")),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    user_id: Mapped[str] = mapped_column(id_type())
    gateway: Mapped[str] = mapped_column(GATEWAY)
    external_id: Mapped[str | None] = mapped_column(EXTERNAL_ID)
    kind: Mapped[str] = mapped_column(String(20))
    title: Mapped[str] = mapped_column(String(120))
    plan_id: Mapped[str | None] = mapped_column(ForeignKey("plans.id"))
    interval: Mapped[str | None] = mapped_column(String(10))
    pack_id: Mapped[str | None] = mapped_column(ForeignKey("credit_packs.id"))
    credits: Mapped[int] = mapped_column(BigInteger)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    discount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(CURRENCY)
    trial_days: Mapped[int]
    coupon_id: Mapped[str | None] = mapped_column(id_type())
    status: Mapped[str] = mapped_column(String(10))
    url: Mapped[str | None] = mapped_column(Text)
    order: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Options of the gateway's form, including the buyer's name; deleted when the checkout is closed."""
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class Subscription(Base):
    """A subscription. `synced_at` is when its state was last applied from the gateway.

    `paid_until` is the end of the last paid period or of the trial. A `duplicate` is a second subscription of the
    same user: it is cancelled and refunded.
    """

    __tablename__ = "subscriptions"
    __table_args__ = (
        UniqueConstraint("gateway", "external_id"),
        CheckConstraint("status IN ('trialing', 'active', 'past_due', 'ended', 'duplicate')", "status_is_known"),
        Index("uq_subscriptions_live", "user_id", unique=True, postgresql_where=text(LIVE), sqlite_where=text(LIVE)),
        Index(None, "created_at"),
        Index(None, "ended_at"),
        Index("ix_subscriptions_renewing", "period_end", postgresql_where=text(LIVE), sqlite_where=text(LIVE)),
        Index(None, "user_id", "id"),
    )

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    user_id: Mapped[str] = mapped_column(id_type())
    gateway: Mapped[str] = mapped_column(GATEWAY)
    external_id: Mapped[str] = mapped_column(EXTERNAL_ID)
    checkout_id: Mapped[str | None] = mapped_column(ForeignKey("checkouts.id"))
    plan_id: Mapped[str] = mapped_column(ForeignKey("plans.id"))
    interval: Mapped[str] = mapped_column(String(10))
    next_plan_id: Mapped[str | None] = mapped_column(ForeignKey("plans.id"))
    next_interval: Mapped[str | None] = mapped_column(String(10))
    currency: Mapped[str] = mapped_column(CURRENCY)
    status: Mapped[str] = mapped_column(String(10))
    period_start: Mapped[datetime]
    period_end: Mapped[datetime]
    paid_until: Mapped[datetime]
    trial_end: Mapped[datetime | None]
    cancels_at_period_end: Mapped[bool]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    synced_at: Mapped[datetime]


class Payment(Base):
    """A payment. Its credits are the ledger grant `payment:<id>`.

    An `unmatched` payment fits no checkout (another amount, a second payment, a missing checkout or account) and
    grants nothing until an administrator assigns or refunds it. `clawback_due` is the number of credits to claw back
    for refunds and disputes; `clawback_taken` is how many were available.
    """

    __tablename__ = "payments"
    __table_args__ = (
        UniqueConstraint("gateway", "external_id"),
        CheckConstraint("kind IN ('subscription', 'change', 'topup', 'auto_topup', 'unmatched')", "kind_is_known"),
        CheckConstraint("0 <= refunded_minor AND 0 <= disputed_minor", "amounts_not_negative"),
        CheckConstraint("0 <= clawback_due AND clawback_due <= credits", "clawback_fits"),
        Index(None, "user_id", "id"),
        Index(None, "subscription_id", "id"),
        Index(None, "paid_at"),
        Index(None, "user_id", "paid_at"),
        Index("ix_payments_by_external_id", "external_id", "id"),
        Index("ix_payments_covering", "period_end", postgresql_where=_PERIOD, sqlite_where=_PERIOD),
        Index("ix_payments_refunded", "id", postgresql_where=_REFUNDED, sqlite_where=_REFUNDED),
        Index("ix_payments_disputed", "id", postgresql_where=_DISPUTED, sqlite_where=_DISPUTED),
        Index("ix_payments_unmatched", "id", postgresql_where=_UNMATCHED, sqlite_where=_UNMATCHED),
    )

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    user_id: Mapped[str | None] = mapped_column(id_type())
    """None while the payment is unmatched and the payer unknown."""
    gateway: Mapped[str] = mapped_column(GATEWAY)
    external_id: Mapped[str] = mapped_column(EXTERNAL_ID)
    kind: Mapped[str] = mapped_column(String(20))
    title: Mapped[str] = mapped_column(String(120))
    checkout_id: Mapped[str | None] = mapped_column(ForeignKey("checkouts.id"))
    subscription_id: Mapped[str | None] = mapped_column(ForeignKey("subscriptions.id"))
    plan_id: Mapped[str | None] = mapped_column(ForeignKey("plans.id"))
    interval: Mapped[str | None] = mapped_column(String(10))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(CURRENCY)
    method: Mapped[str | None] = mapped_column(String(40))
    credits: Mapped[int] = mapped_column(BigInteger)
    period_start: Mapped[datetime | None]
    period_end: Mapped[datetime | None]
    refunded_minor: Mapped[int] = mapped_column(BigInteger)
    disputed_minor: Mapped[int] = mapped_column(BigInteger)
    clawback_due: Mapped[int] = mapped_column(BigInteger)
    clawback_taken: Mapped[int] = mapped_column(BigInteger)
    restore_count: Mapped[int] = mapped_column(Integer)
    """How often credits were restored after a dispute was won; each time is a grant of its own."""
    paid_at: Mapped[datetime]
    created_at: Mapped[datetime]

    @property
    def owner(self) -> str:
        """The paying user. Raises ValueError while the payer is unknown."""
        if self.user_id is None:
            raise ValueError(f"the payer of payment {self.id} is unknown")
        return self.user_id


class FailedPayment(Base):
    """A failed attempt to pay."""

    __tablename__ = "failed_payments"
    __table_args__ = (UniqueConstraint("gateway", "external_id"), Index(None, "user_id", "id"))

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    user_id: Mapped[str] = mapped_column(id_type())
    gateway: Mapped[str] = mapped_column(GATEWAY)
    external_id: Mapped[str] = mapped_column(EXTERNAL_ID)
    checkout_id: Mapped[str | None] = mapped_column(ForeignKey("checkouts.id"))
    subscription_id: Mapped[str | None] = mapped_column(ForeignKey("subscriptions.id"))
    reason: Mapped[str] = mapped_column(String(80))
    failed_at: Mapped[datetime]
    retry_at: Mapped[datetime | None]


class Refund(Base):
    """A refund."""

    __tablename__ = "refunds"
    __table_args__ = (UniqueConstraint("gateway", "external_id"), Index(None, "payment_id"), Index(None, "refunded_at"))

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"))
    gateway: Mapped[str] = mapped_column(GATEWAY)
    external_id: Mapped[str] = mapped_column(EXTERNAL_ID)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    refunded_at: Mapped[datetime]


class Dispute(Base):
    """A dispute of a payment. Won and lost are final."""

    __tablename__ = "disputes"
    __table_args__ = (
        UniqueConstraint("gateway", "external_id"),
        CheckConstraint("status IN ('open', 'won', 'lost')", "status_is_known"),
        Index(None, "opened_at"),
        Index(None, "payment_id"),
    )

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"))
    gateway: Mapped[str] = mapped_column(GATEWAY)
    external_id: Mapped[str] = mapped_column(EXTERNAL_ID)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String(10))
    opened_at: Mapped[datetime]


class LowBalanceAlert(Base):
    """An armed alert: the customer is emailed when the balance falls below the threshold."""

    __tablename__ = "low_balance_alerts"

    user_id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    since: Mapped[datetime]


class WebhookEvent(Base):
    """The inbox of webhooks. Events of unknown kinds are stored too, as `ignored`."""

    __tablename__ = "webhook_events"
    __table_args__ = (
        UniqueConstraint("gateway", "event_id"),
        CheckConstraint("status IN ('pending', 'processed', 'ignored', 'failed')", "status_is_known"),
        Index(None, "status", "id"),
        Index("ix_webhook_events_with_body", "id", postgresql_where=text("body IS NOT NULL"),
              sqlite_where=text("body IS NOT NULL")),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    gateway: Mapped[str] = mapped_column(GATEWAY)
    event_id: Mapped[str] = mapped_column(EXTERNAL_ID)
    kind: Mapped[str] = mapped_column(String(120))
    subject_kind: Mapped[str | None] = mapped_column(String(20))
    subject_id: Mapped[str | None] = mapped_column(EXTERNAL_ID)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The raw body; None if a sweep found the event."""
    status: Mapped[str] = mapped_column(String(10))
    failure: Mapped[str | None] = mapped_column(String(300))
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    processed_at: Mapped[datetime | None]
