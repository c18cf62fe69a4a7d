"""The gateway that needs no key: money of a game, on a page of our own, with news as signed as anybody's."""

import hmac
import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from hortus.core.clock import EPOCH
from hortus.core.configuration import SettingsGroup
from hortus.core.db import Tx
from hortus.core.settings import LOOPBACK
from hortus.core.settings import Settings as CoreSettings
from hortus.payments.base import (
    Abilities,
    Agreement,
    CheckoutEnded,
    CheckoutPaid,
    Context,
    Delivery,
    Disputed,
    Fact,
    Forged,
    NotConfigured,
    Order,
    Paid,
    PaymentFailed,
    Proration,
    RecurringPrice,
    Refunded,
    Refused,
    Started,
    Subject,
    SubscriptionChanged,
    SubscriptionRenewed,
)
from hortus.payments.sandbox import store, vendor
from hortus.payments.sandbox.deliver import HEADER, signing_keys
from hortus.payments.sandbox.store import Thing

WINDOW = timedelta(minutes=5)
PAGE = 200


class Settings(SettingsGroup):
    """PAYMENT_SANDBOX: `auto` is on where only this machine reaches the server; `on` and `off` say so.

    SANDBOX_DECLINES makes every card without a page say no.
    """

    heading: ClassVar[str] = "Sandbox payments"

    payment_sandbox: Literal["auto", "on", "off"] = "auto"
    """Whether play money buys; `auto` is on where only this machine reaches the server."""
    sandbox_declines: bool = False
    """Whether every card that is charged without a page is declined."""


def is_on(settings: CoreSettings, chosen: Literal["auto", "on", "off"]) -> bool:
    """Whether play money may buy anything here. Off wherever strangers could reach it, unless an operator says so."""
    if chosen != "auto":
        return chosen == "on"
    return settings.host in LOOPBACK and not settings.public_url


class Adapter:
    """The sandbox behind the seam. Its state is in tables of its own, and lives as long as they."""

    id = "sandbox"
    title = "Sandbox (no real money)"
    can = Abilities(currencies=("INR", "USD", "EUR", "GBP"), portal=False)

    def __init__(self, context: Context) -> None:
        self._settings = context.settings
        own = Settings()
        self._on, self._declines = is_on(context.settings, own.payment_sandbox), own.sandbox_declines
        self._database = context.database

    def missing(self) -> str | None:
        if self._on:
            return None
        return "PAYMENT_SANDBOX=on (off by itself where others can reach the server: it is play money)"

    def read(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery:
        if not self._on:
            raise NotConfigured("the sandbox is off")
        parts = dict(part.split("=", 1) for part in headers.get(HEADER.lower(), "").split(",") if "=" in part)
        stamp, given = parts.get("t", ""), parts.get("v1", "")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12 and given.isascii()):
            raise Forged("no signature")
        signed = stamp.encode() + b"." + body
        if not any(
            hmac.compare_digest(hmac.new(key, signed, "sha256").hexdigest(), given)
            for key in signing_keys(self._settings)
        ):
            raise Forged("the signature is wrong")
        if abs(now.timestamp() - int(stamp)) > WINDOW.total_seconds():
            raise Forged("the time of the signature is too far from now")
        try:
            said = json.loads(body)
            subject = Subject(said["subject"]["kind"], said["subject"]["id"])
            return Delivery(said["id"], said["type"], datetime.fromisoformat(said["created"]), subject)
        except (ValueError, KeyError, TypeError) as error:
            raise Forged("the event has another form") from error

    async def missed(self, since: datetime) -> AsyncIterator[Delivery]:
        after = ""
        while True:
            async with self._database.snapshot() as tx:
                page = await store.events_since(tx, since, after, PAGE)
            for event in page:
                subject = Subject(event.subject_kind, event.subject_id)  # type: ignore[arg-type] # only ours are written
                yield Delivery(event.id, event.kind, event.created_at, subject)
            if len(page) < PAGE:
                return
            since, after = page[-1].created_at, page[-1].id

    async def facts(self, subject: Subject) -> list[Fact]:
        async with self._database.snapshot() as tx:
            return await _facts(tx, subject)

    async def price(self, price: RecurringPrice) -> str:
        async with self._database.transaction() as tx:
            return await vendor.open_price(tx, price)

    async def start(self, order: Order) -> Started:
        async with self._database.transaction() as tx:
            checkout = await vendor.open_checkout(tx, order)
        url = f"{self._settings.origin}/sandbox/checkout/{checkout.id}"
        return Started(checkout.id, url=url, customer=checkout.body["customer"])

    async def close(self, vendor_id: str) -> None:
        async with self._database.transaction() as tx:
            await vendor.close(tx, vendor_id)

    async def charge(self, order: Order) -> Subject:
        async with self._database.transaction() as tx:
            return Subject("checkout", await vendor.charge(tx, order, declined=self._declines))

    async def preview(self, subscription: str, price: str) -> Proration:
        async with self._database.snapshot() as tx:
            return await vendor.preview(tx, subscription, price)

    async def change(self, subscription: str, price: str, *, now: bool, key: str) -> None:
        async with self._database.transaction() as tx:
            await vendor.change(tx, subscription, price, now=now, key=key)

    async def cancel(self, subscription: str, *, now: bool, key: str) -> None:
        async with self._database.transaction() as tx:
            await vendor.cancel(tx, subscription, now=now)

    async def resume(self, subscription: str, *, key: str) -> None:
        async with self._database.transaction() as tx:
            await vendor.resume(tx, subscription)

    async def refund(self, payment: str, amount_minor: int, *, key: str) -> None:
        async with self._database.transaction() as tx:
            await vendor.refund(tx, payment, amount_minor, key=key)

    async def portal(self, customer: str, return_url: str) -> str:
        raise Refused("the sandbox has no portal")


# What is true ----------------------------------------------------------------


async def _facts(tx: Tx, subject: Subject) -> list[Fact]:
    found = await store.find(tx, subject.kind, subject.vendor_id)
    if found is None:
        return []
    if subject.kind == "payment":
        parent = str(found.parent)
        return await _facts(tx, Subject("subscription" if "subscription" in found.body else "checkout", parent))
    return await (_of_checkout(tx, found) if subject.kind == "checkout" else _of_subscription(tx, found))


async def _of_checkout(tx: Tx, checkout: Thing) -> list[Fact]:
    body = checkout.body
    if "subscription" in body:
        return await _facts(tx, Subject("subscription", body["subscription"]))
    if body["status"] == "expired":
        return [CheckoutEnded(body["reference"])]
    if body["status"] == "open":
        failure = body.get("failure")
        return [_failed(checkout.id, failure, reference=body["reference"])] if failure else []
    facts: list[Fact] = []
    for payment in await store.children(tx, checkout.id, "payment"):
        facts += [CheckoutPaid(body["reference"], _paid(payment), body["customer"]), *await _undone(tx, payment)]
    return facts


async def _of_subscription(tx: Tx, subscription: Thing) -> list[Fact]:
    body = subscription.body
    agreement = Agreement(
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
    facts: list[Fact] = [SubscriptionChanged(agreement)]
    for payment in await store.children(tx, subscription.id, "payment"):
        bought = payment.body
        facts.append(
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
        facts += await _undone(tx, payment)
    if body.get("failure"):
        facts.append(_failed(body["failure"]["id"], body["failure"], subscription=subscription.id))
    return facts


async def _undone(tx: Tx, payment: Thing) -> list[Fact]:
    refunds = [
        Refunded(each.id, payment.id, each.body["amount"], each.body["currency"], each.created_at)
        for each in await store.children(tx, payment.id, "refund")
    ]
    disputes = [
        Disputed(each.id, payment.id, each.body["amount"], each.body["currency"], each.body["status"], each.created_at)
        for each in await store.children(tx, payment.id, "dispute")
    ]
    return [*refunds, *disputes]


def _paid(payment: Thing) -> Paid:
    body = payment.body
    return Paid(payment.id, body["amount"], body["currency"], _time(body["paid_at"]), "sandbox")


def _failed(
    id: str, failure: dict[str, str], *, subscription: str | None = None, reference: str | None = None
) -> PaymentFailed:
    retry_at = _time(failure["retry_at"]) if "retry_at" in failure else None
    return PaymentFailed(id, failure["reason"], _time(failure["at"]), subscription, reference, retry_at)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text) if text else EPOCH
