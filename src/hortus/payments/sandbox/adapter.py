"""Adapter of the sandbox: hosts its own checkout page and sends signed webhooks, without account and real money."""

import hmac
import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from hortus.core.clock import EPOCH
from hortus.core.configuration import SettingsGroup
from hortus.core.db import Tx
from hortus.core.settings import LOOPBACK, Settings
from hortus.payments.base import (
    Capabilities,
    CheckoutExpired,
    CheckoutPaid,
    CheckoutSession,
    Disputed,
    GatewayContext,
    GatewayNotConfigured,
    GatewayRefused,
    IncomingEvent,
    InvalidSignature,
    ObjectRef,
    Order,
    Paid,
    PaymentEvent,
    PaymentFailed,
    Proration,
    RecurringPrice,
    Refunded,
    SubscriptionChanged,
    SubscriptionRenewed,
    SubscriptionState,
)
from hortus.payments.sandbox import simulator, store
from hortus.payments.sandbox.store import StoredObject
from hortus.payments.sandbox.webhook_sender import HEADER, signing_keys

WINDOW = timedelta(minutes=5)
PAGE = 200


class SandboxSettings(SettingsGroup):
    """PAYMENT_SANDBOX: `auto` enables it while the server is reachable only from this machine; or `on`, `off`.

    SANDBOX_DECLINES declines every off-session charge.
    """

    heading: ClassVar[str] = "Sandbox payments"

    payment_sandbox: Literal["auto", "on", "off"] = "auto"
    """Whether sandbox payments are accepted; `auto`: only while the server is reachable only from this machine."""
    sandbox_declines: bool = False
    """Whether every off-session charge is declined."""


def is_on(settings: Settings, chosen: Literal["auto", "on", "off"]) -> bool:
    """Whether sandbox payments are accepted. `auto` is off wherever other machines can reach the server."""
    if chosen != "auto":
        return chosen == "on"
    return settings.host in LOOPBACK and not settings.public_url


class Adapter:
    """The sandbox gateway. Its state is stored in tables of its own."""

    Settings: ClassVar[type[SettingsGroup]] = SandboxSettings
    id = "sandbox"
    title = "Sandbox (no real money)"
    capabilities = Capabilities(currencies=("INR", "USD", "EUR", "GBP"), portal=False)

    def __init__(self, context: GatewayContext) -> None:
        self._settings = context.settings
        own = SandboxSettings()
        self._on, self._declines = is_on(context.settings, own.payment_sandbox), own.sandbox_declines
        self._database = context.database

    def missing(self) -> str | None:
        if self._on:
            return None
        return "set PAYMENT_SANDBOX=on (off by default if other machines can reach the server: no real money)"

    def parse_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> IncomingEvent:
        if not self._on:
            raise GatewayNotConfigured("the sandbox is off")
        parts = dict(part.split("=", 1) for part in headers.get(HEADER.lower(), "").split(",") if "=" in part)
        timestamp, given = parts.get("t", ""), parts.get("v1", "")
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12 and given.isascii()):
            raise InvalidSignature("no signature")
        signed = timestamp.encode() + b"." + body
        if not any(
            hmac.compare_digest(hmac.new(key, signed, "sha256").hexdigest(), given)
            for key in signing_keys(self._settings)
        ):
            raise InvalidSignature("the signature is wrong")
        if abs(now.timestamp() - int(timestamp)) > WINDOW.total_seconds():
            raise InvalidSignature("the time of the signature is too far from now")
        try:
            said = json.loads(body)
            ref = ObjectRef(said["subject"]["kind"], said["subject"]["id"])
            return IncomingEvent(said["id"], said["type"], datetime.fromisoformat(said["created"]), ref)
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidSignature("the event has another form") from error

    async def list_events_since(self, since: datetime) -> AsyncIterator[IncomingEvent]:
        after = ""
        while True:
            async with self._database.snapshot() as tx:
                page = await store.events_since(tx, since, after, PAGE)
            for event in page:
                ref = ObjectRef(event.subject_kind, event.subject_id)  # type: ignore[arg-type] # only ours are written
                yield IncomingEvent(event.id, event.kind, event.created_at, ref)
            if len(page) < PAGE:
                return
            since, after = page[-1].created_at, page[-1].id

    async def fetch_events(self, ref: ObjectRef) -> list[PaymentEvent]:
        async with self._database.snapshot() as tx:
            return await _events(tx, ref)

    async def price(self, price: RecurringPrice) -> str:
        async with self._database.transaction() as tx:
            return await simulator.open_price(tx, price)

    async def start(self, order: Order) -> CheckoutSession:
        async with self._database.transaction() as tx:
            checkout = await simulator.open_checkout(tx, order)
        url = f"{self._settings.origin}/sandbox/checkout/{checkout.id}"
        return CheckoutSession(checkout.id, url=url, customer=checkout.body["customer"])

    async def close(self, external_id: str) -> None:
        async with self._database.transaction() as tx:
            await simulator.close(tx, external_id)

    async def charge(self, order: Order) -> ObjectRef:
        async with self._database.transaction() as tx:
            return ObjectRef("checkout", await simulator.charge(tx, order, declined=self._declines))

    async def preview(self, subscription: str, price: str) -> Proration:
        async with self._database.snapshot() as tx:
            return await simulator.preview(tx, subscription, price)

    async def change(self, subscription: str, price: str, *, now: bool, key: str) -> None:
        async with self._database.transaction() as tx:
            await simulator.change(tx, subscription, price, now=now, key=key)

    async def cancel(self, subscription: str, *, now: bool, key: str) -> None:
        async with self._database.transaction() as tx:
            await simulator.cancel(tx, subscription, now=now)

    async def resume(self, subscription: str, *, key: str) -> None:
        async with self._database.transaction() as tx:
            await simulator.resume(tx, subscription)

    async def refund(self, payment: str, amount_minor: int, *, key: str) -> None:
        async with self._database.transaction() as tx:
            await simulator.refund(tx, payment, amount_minor, key=key)

    async def portal(self, customer: str, return_url: str) -> str:
        raise GatewayRefused("the sandbox has no customer portal")


# Events ----------------------------------------------------------------------


async def _events(tx: Tx, ref: ObjectRef) -> list[PaymentEvent]:
    found = await store.find(tx, ref.kind, ref.external_id)
    if found is None:
        return []
    if ref.kind == "payment":
        parent = str(found.parent)
        return await _events(tx, ObjectRef("subscription" if "subscription" in found.body else "checkout", parent))
    return await (_of_checkout(tx, found) if ref.kind == "checkout" else _of_subscription(tx, found))


async def _of_checkout(tx: Tx, checkout: StoredObject) -> list[PaymentEvent]:
    body = checkout.body
    if "subscription" in body:
        return await _events(tx, ObjectRef("subscription", body["subscription"]))
    if body["status"] == "expired":
        return [CheckoutExpired(body["reference"])]
    if body["status"] == "open":
        failure = body.get("failure")
        return [_failed(checkout.id, failure, reference=body["reference"])] if failure else []
    events: list[PaymentEvent] = []
    for payment in await store.children(tx, checkout.id, "payment"):
        events += [CheckoutPaid(body["reference"], _paid(payment), body["customer"]), *await _undone(tx, payment)]
    return events


async def _of_subscription(tx: Tx, subscription: StoredObject) -> list[PaymentEvent]:
    body = subscription.body
    state = SubscriptionState(
        subscription.id,
        body["reference"],
        body["status"],
        body["price"],
        _time(body["period_start"]),
        _time(body["period_end"]),
        body["cancels"],
        _time(body["trial_end"]) if body["trial_end"] else None,
        body["customer"],
    )
    events: list[PaymentEvent] = [SubscriptionChanged(state)]
    for payment in await store.children(tx, subscription.id, "payment"):
        bought = payment.body
        events.append(
            SubscriptionRenewed(
                subscription.id,
                body["reference"],
                _paid(payment),
                bought["price"],
                _time(bought["period_start"]),
                _time(bought["period_end"]),
                bought["changed"],
            )
        )
        events += await _undone(tx, payment)
    if body.get("failure"):
        events.append(_failed(body["failure"]["id"], body["failure"], subscription=subscription.id))
    return events


async def _undone(tx: Tx, payment: StoredObject) -> list[PaymentEvent]:
    refunds = [
        Refunded(each.id, payment.id, each.body["amount"], each.body["currency"], each.created_at)
        for each in await store.children(tx, payment.id, "refund")
    ]
    disputes = [
        Disputed(each.id, payment.id, each.body["amount"], each.body["currency"], each.body["status"], each.created_at)
        for each in await store.children(tx, payment.id, "dispute")
    ]
    return [*refunds, *disputes]


def _paid(payment: StoredObject) -> Paid:
    body = payment.body
    return Paid(payment.id, body["amount"], body["currency"], _time(body["paid_at"]), "sandbox")


def _failed(
    id: str, failure: dict[str, str], *, subscription: str | None = None, reference: str | None = None
) -> PaymentFailed:
    retry_at = _time(failure["retry_at"]) if "retry_at" in failure else None
    return PaymentFailed(id, failure["reason"], _time(failure["at"]), subscription, reference, retry_at)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text) if text else EPOCH
