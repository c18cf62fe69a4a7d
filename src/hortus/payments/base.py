"""Interface of payment gateways: orders, events, errors, and the protocol of an adapter.

Webhooks are only hints. Each names an object (`ObjectRef`); its current state is fetched from the gateway and applied
as `PaymentEvent`s, so order, duplicates and loss of webhooks do not matter. Amounts are minor units of a currency.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

from hortus.core.db import Database
from hortus.core.http import Http
from hortus.core.settings import Settings
from hortus.payments.amounts import EVERY_AMOUNT, Amounts

Interval = Literal["month", "year"]
SubscriptionStatus = Literal["trialing", "active", "past_due", "ended"]
DisputeStatus = Literal["open", "won", "lost"]


# Errors ----------------------------------------------------------------------


@runtime_checkable
class Checkable(Protocol):
    """A gateway that can test its credentials without moving money."""

    async def check(self) -> str:
        """The outcome in a few words. Raises GatewayError."""


class GatewayError(Exception):
    """A call to the gateway failed. The text is stored and logged, so it contains no secret and no personal data."""


class GatewayNotConfigured(GatewayError):
    """A setting is missing, or the gateway rejects the credentials."""


class GatewayRefused(GatewayError):
    """The gateway refused the request for good; a retry does not help."""


class AmountRefused(GatewayRefused):
    """The gateway charges no such amount in this currency: it is too small, too large, or not one of its steps."""


class Declined(GatewayError):
    """The buyer's bank or card declined the payment."""


class GatewayUnavailable(GatewayError):
    """No response, or a temporary failure; `after` is the Retry-After in seconds, if the gateway sent one."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class InvalidSignature(Exception):
    """A webhook or callback whose signature, timestamp or form is wrong."""


# Requests --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RecurringPrice:
    """A price of one version of a plan. `id` is ours and names version, interval and currency."""

    id: str
    title: str
    interval: Interval
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Buyer:
    """The paying user. `customer` is the gateway's id of the customer, once there is one."""

    user_id: str
    email: str | None = None
    mobile: str | None = None
    name: str | None = None
    customer: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A purchase. `id` is our checkout id and serves as the idempotency key.

    With `price` (the gateway's id of a recurring price) it starts a subscription whose first
    period costs `amount_minor`, after a free trial of `trial_days`.
    """

    id: str
    buyer: Buyer
    title: str
    amount_minor: int
    currency: str
    success_url: str
    cancel_url: str
    price: str | None = None
    discount_minor: int = 0
    trial_days: int = 0


@dataclass(frozen=True, slots=True)
class CheckoutSession:
    """An open checkout: the buyer pays at `url`, or in a form that our page opens with `order`."""

    external_id: str
    url: str | None = None
    order: dict[str, Any] | None = None
    customer: str | None = None


@dataclass(frozen=True, slots=True)
class Proration:
    """The cost of an immediate change (never below zero) and the credit for unused time that it includes."""

    due_minor: int
    unused_minor: int
    currency: str


# Webhooks and events ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """An object at the gateway, by its external id."""

    kind: Literal["checkout", "subscription", "payment"]
    external_id: str


@dataclass(frozen=True, slots=True)
class IncomingEvent:
    """A received event. `event_id` is the same for each delivery; an event without a `ref` is stored and ignored.

    `synthetic` events are derived from lists of objects, for gateways that keep no list of events: a webhook may have
    delivered the same change under another id.
    """

    event_id: str
    kind: str
    occurred_at: datetime
    ref: ObjectRef | None
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment as the gateway recorded it."""

    external_id: str
    amount_minor: int
    currency: str
    paid_at: datetime
    method: str | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """The current state of a subscription. `price` is the gateway's price id, `reference` our checkout id."""

    external_id: str
    reference: str | None
    status: SubscriptionStatus
    price: str
    period_start: datetime
    period_end: datetime
    cancels_at_period_end: bool | None = False
    """None if the gateway does not report it: our own value then stays until the next period begins."""
    trial_end: datetime | None = None
    customer: str | None = None


@dataclass(frozen=True, slots=True)
class CheckoutPaid:
    """The checkout of a one-time purchase was paid."""

    reference: str
    payment: Paid
    customer: str | None = None


@dataclass(frozen=True, slots=True)
class CheckoutExpired:
    """A checkout can no longer be paid."""

    reference: str


@dataclass(frozen=True, slots=True)
class SubscriptionRenewed:
    """A period of a subscription was paid, including the first. `price` is the price that was paid.

    With `changed` the payment is the prorated cost of a change within a period.
    """

    subscription: str
    reference: str | None
    payment: Paid
    price: str
    period_start: datetime
    period_end: datetime
    changed: bool = False


@dataclass(frozen=True, slots=True)
class SubscriptionChanged:
    """The state of a subscription, new or changed."""

    state: SubscriptionState


@dataclass(frozen=True, slots=True)
class PaymentFailed:
    """An attempt to pay failed; the gateway retries at `retry_at`, if set."""

    external_id: str
    reason: str
    failed_at: datetime
    subscription: str | None = None
    reference: str | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refunded:
    """A refund."""

    external_id: str
    payment: str
    amount_minor: int
    currency: str
    refunded_at: datetime


@dataclass(frozen=True, slots=True)
class Disputed:
    """A dispute of a payment. The money is withdrawn while it is open and after it is lost."""

    external_id: str
    payment: str
    amount_minor: int
    currency: str
    status: DisputeStatus
    opened_at: datetime


PaymentEvent = (
    CheckoutPaid | CheckoutExpired | SubscriptionRenewed | SubscriptionChanged | PaymentFailed | Refunded | Disputed
)


# The adapter -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Features of a gateway beyond one-time purchases."""

    currencies: tuple[str, ...]
    """Supported currencies, the preferred one first."""
    subscriptions: bool = True
    discounts: bool = True
    """Whether the first period of a subscription can be discounted."""
    trials: bool = True
    off_session: bool = True
    """Whether a saved card can be charged while the customer is absent."""
    portal: bool = False
    resume: bool = True
    """Whether a cancellation at the end of the period can be revoked."""
    amounts: Amounts = EVERY_AMOUNT
    """Chargeable amounts; any amount by default."""


@dataclass(frozen=True, slots=True)
class GatewayContext:
    """The collaborators of an adapter."""

    http: Http
    settings: Settings
    database: Database


@runtime_checkable
class Gateway(Protocol):
    """A payment gateway. No method is called while a transaction is open; each raises only GatewayError."""

    id: str
    title: str
    capabilities: Capabilities

    def missing(self) -> str | None:
        """The settings that are missing, in one line; None if the gateway is ready."""

    def parse_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> IncomingEvent:
        """Verify and parse a webhook. Raises InvalidSignature, also if the signed time differs from `now` by more than
        five minutes; GatewayNotConfigured without a secret."""

    async def fetch_events(self, ref: ObjectRef) -> list[PaymentEvent]:
        """The current state of an object as events, causes before effects; empty if the gateway has no such object."""

    def list_events_since(self, since: datetime) -> AsyncIterator[IncomingEvent]:
        """The events since then from the gateway's own list, oldest first; webhooks may deliver them too."""

    async def price(self, price: RecurringPrice) -> str:
        """Create a recurring price, idempotently; return the gateway's id."""

    async def start(self, order: Order) -> CheckoutSession:
        """Open a checkout, idempotently per order."""

    async def close(self, external_id: str) -> None:
        """Expire an unpaid checkout. Raises GatewayRefused if it was paid."""

    async def charge(self, order: Order) -> ObjectRef | None:
        """Charge a saved card now, once per order; return the object to fetch, if any. Raises Declined."""

    async def preview(self, subscription: str, price: str) -> Proration:
        """The cost of changing to that price now."""

    async def change(self, subscription: str, price: str, *, now: bool, key: str) -> None:
        """Change the price, now with proration or from the next period on; once per `key`. Raises Declined."""

    async def cancel(self, subscription: str, *, now: bool, key: str) -> None:
        """Cancel a subscription, now or at the end of its period; idempotent."""

    async def resume(self, subscription: str, *, key: str) -> None:
        """Revoke a cancellation at the end of the period; idempotent. Raises GatewayRefused if it has ended."""

    async def refund(self, payment: str, amount_minor: int, *, key: str) -> None:
        """Refund a payment, once per `key`."""

    async def portal(self, customer: str, return_url: str) -> str:
        """The URL of the gateway's customer portal. Raises GatewayRefused without one."""


@runtime_checkable
class Callback(Protocol):
    """A gateway whose form returns signed fields to the buyer's browser. They name the checkout to fetch."""

    def verify(self, fields: Mapping[str, str]) -> ObjectRef:
        """Verify the fields; return the checkout they name. Raises InvalidSignature, GatewayNotConfigured."""
