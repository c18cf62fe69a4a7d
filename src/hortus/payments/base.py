"""The seam for payment vendors: what is asked of them, and what they tell, in our own words.

A vendor is believed only when it is asked: a webhook, a browser callback and a sweep each name a
`Subject`, and `facts` reads from the vendor all that is true of it now. So it does not matter how
often news comes, in which order, or whether it comes at all. Amounts are minor units of a currency.
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


# What can go wrong -----------------------------------------------------------


@runtime_checkable
class Checkable(Protocol):
    """A gateway that can ask its vendor whether the key is accepted, without touching money."""

    async def check(self) -> str:
        """What the vendor answered, in a few words. Raises GatewayError."""


class GatewayError(Exception):
    """The gateway did not do it. The text is stored and logged: it repeats no secret and no personal data."""


class GatewayNotConfigured(GatewayError):
    """A setting is missing."""


class GatewayRefused(GatewayError):
    """The gateway will never do this as asked; asking again does not help."""


class AmountRefused(GatewayRefused):
    """The gateway charges no such amount in this currency: it is too small, too large, or not one of its steps."""


class Declined(GatewayError):
    """The buyer's bank or card said no."""


class GatewayUnavailable(GatewayError):
    """No answer, or one that says to come back, after `after` seconds where it says so."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class InvalidSignature(Exception):
    """The delivery is not from the gateway: its signature, its time or its form is wrong."""


# What is asked ---------------------------------------------------------------


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
    """Who pays. `customer` is the gateway's own id of them, once it has one."""

    user_id: str
    email: str | None = None
    mobile: str | None = None
    name: str | None = None
    customer: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One thing to pay for. `id` is ours, and the gateway's idempotency key.

    With `price` (the gateway's id of a recurring price) it starts a subscription, whose first
    period costs `amount_minor`, after `trial_days` without cost.
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
    """A checkout that waits for the buyer: at `url`, or with what a page of ours needs to open it."""

    external_id: str
    url: str | None = None
    order: dict[str, Any] | None = None
    customer: str | None = None


@dataclass(frozen=True, slots=True)
class Proration:
    """What a change would cost now (never below zero), and the credit for time not used that is in it."""

    due_minor: int
    unused_minor: int
    currency: str


# What is told ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """What news is about, by the gateway's id."""

    kind: Literal["checkout", "subscription", "payment"]
    external_id: str


@dataclass(frozen=True, slots=True)
class IncomingEvent:
    """One piece of news. It bears an id that is the same each time it comes; without a subject it is only kept.

    `made_up` is news that a sweep made of a list of things, where a gateway keeps no list of its events: a webhook
    may have brought it under another id.
    """

    event_id: str
    kind: str
    occurred_at: datetime
    ref: ObjectRef | None
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class Paid:
    """Money that arrived."""

    external_id: str
    amount_minor: int
    currency: str
    paid_at: datetime
    method: str | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """What is true of a subscription now. `price` is the gateway's id of its recurring price, `reference` our order."""

    external_id: str
    reference: str | None
    status: SubscriptionStatus
    price: str
    period_start: datetime
    period_end: datetime
    cancels_at_period_end: bool | None = False
    """None where the gateway does not say: what is known here stays, until the next period begins."""
    trial_end: datetime | None = None
    customer: str | None = None


@dataclass(frozen=True, slots=True)
class CheckoutPaid:
    """An order of a single purchase was paid."""

    reference: str
    payment: Paid
    customer: str | None = None


@dataclass(frozen=True, slots=True)
class CheckoutExpired:
    """An order will not be paid any more."""

    reference: str


@dataclass(frozen=True, slots=True)
class SubscriptionRenewed:
    """A period of a subscription was paid; the first one too. `price` is what was bought for it.

    With `changed` it is the difference that a change in the middle of a period costs.
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
    """The state of a subscription."""

    state: SubscriptionState


@dataclass(frozen=True, slots=True)
class PaymentFailed:
    """A try to pay failed; the gateway tries again at `retry_at`, or never."""

    external_id: str
    reason: str
    failed_at: datetime
    subscription: str | None = None
    reference: str | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refunded:
    """Money that went back."""

    external_id: str
    payment: str
    amount_minor: int
    currency: str
    refunded_at: datetime


@dataclass(frozen=True, slots=True)
class Disputed:
    """A payment that the buyer's bank questions: money is gone while it is open and once it is lost."""

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
    """What a gateway can do beyond a single purchase."""

    currencies: tuple[str, ...]
    """Those it charges, the most fitting first."""
    subscriptions: bool = True
    discounts: bool = True
    """Whether the first period of a subscription may cost less."""
    trials: bool = True
    off_session: bool = True
    """Whether a known customer may be charged without a page."""
    portal: bool = False
    resume: bool = True
    """Whether it can be taken back that a subscription ends with its period."""
    amounts: Amounts = EVERY_AMOUNT
    """Which amounts it charges; every amount unless it says."""


@dataclass(frozen=True, slots=True)
class GatewayContext:
    """What an adapter is given."""

    http: Http
    settings: Settings
    database: Database


@runtime_checkable
class Gateway(Protocol):
    """A payment vendor. No verb is called while a transaction is open; each raises GatewayError only."""

    id: str
    title: str
    capabilities: Capabilities

    def missing(self) -> str | None:
        """What an operator must still set, in one line; None when it is ready."""

    def parse_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> IncomingEvent:
        """The delivery behind a webhook call. Raises Forged unless its signature is good and, where the
        gateway stamps it, its time is within five minutes of `now` both ways; GatewayNotConfigured without a secret."""

    async def fetch_events(self, ref: ObjectRef) -> list[PaymentEvent]:
        """All that is true of a subject now, causes before effects; empty when the gateway knows no such thing."""

    def list_events_since(self, since: datetime) -> AsyncIterator[IncomingEvent]:
        """What happened since then, by the gateway's own list, the oldest first; webhooks may bring it too."""

    async def price(self, price: RecurringPrice) -> str:
        """The gateway's id of a recurring price; asking twice makes one."""

    async def start(self, order: Order) -> CheckoutSession:
        """Open a checkout; asking twice for an order opens one."""

    async def close(self, external_id: str) -> None:
        """Let a checkout that was not paid be paid no more; GatewayRefused when it was paid."""

    async def charge(self, order: Order) -> ObjectRef | None:
        """Take the money of a known customer now, once per order; what to ask about it. Raises Declined."""

    async def preview(self, subscription: str, price: str) -> Proration:
        """What changing to that price now would cost."""

    async def change(self, subscription: str, price: str, *, now: bool, key: str) -> None:
        """Change the price, now with proration or from the next period on; once per `key`. Raises Declined."""

    async def cancel(self, subscription: str, *, now: bool, key: str) -> None:
        """End a subscription, now or when its period ends; again is fine."""

    async def resume(self, subscription: str, *, key: str) -> None:
        """Take back that it ends with its period; again is fine. GatewayRefused when it has ended."""

    async def refund(self, payment: str, amount_minor: int, *, key: str) -> None:
        """Give money back, once per `key`."""

    async def portal(self, customer: str, return_url: str) -> str:
        """Where the customer manages cards and papers at the gateway. Raises GatewayRefused without such a place."""


@runtime_checkable
class Callback(Protocol):
    """A gateway whose page hands the buyer's browser a signed word that it was paid. It names a checkout to look at."""

    def verify(self, fields: Mapping[str, str]) -> ObjectRef:
        """The checkout those fields are about. Raises Forged unless their signature is good; GatewayNotConfigured."""
