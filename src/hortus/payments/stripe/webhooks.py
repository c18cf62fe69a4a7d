"""Webhooks from Stripe: is it them, is it fresh, and what is it about."""

import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hortus.payments.base import GatewayNotConfigured, IncomingEvent, InvalidSignature, ObjectRef

WINDOW = timedelta(minutes=5)
"""How far the time of a signature may be off. Both ways: Stripe's own check takes stamps from years ahead."""
MOST_SIGNATURES = 20
KINDS = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "invoice.paid",
    "invoice.payment_failed",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "charge.dispute.closed",
)
"""The events to subscribe to, and those that a sweep asks for: Stripe takes up to twenty kinds at once."""


def parse_webhook(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> IncomingEvent:
    """The delivery behind a webhook call. Raises GatewayNotConfigured without a secret, Forged unless it is theirs."""
    if not secret:
        raise GatewayNotConfigured("STRIPE_WEBHOOK_SECRET is not set")
    _verify(secret, headers.get("stripe-signature", ""), body, now)
    try:
        return incoming_event(json.loads(body))
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError) as error:
        raise InvalidSignature("the event has another form") from error


def _verify(secret: str, header: str, body: bytes, now: datetime) -> None:
    parts = [part.strip().split("=", 1) for part in header.split(",")]
    stamps = [part[1] for part in parts if part[0] == "t" and len(part) == 2]
    given = [part[1].encode() for part in parts if part[0] == "v1" and len(part) == 2][:MOST_SIGNATURES]
    if len(stamps) != 1 or not given:
        raise InvalidSignature("no signature")
    stamp = stamps[0]
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12):
        raise InvalidSignature("the time of the signature is no time")
    right = hmac.new(secret.encode(), stamp.encode() + b"." + body, "sha256").hexdigest().encode()
    # While a secret is being changed there is a signature for each; all are compared, whichever fits.
    if sum(hmac.compare_digest(right, each) for each in given) == 0:
        raise InvalidSignature("the signature is wrong")
    if abs(now.timestamp() - int(stamp)) > WINDOW.total_seconds():
        raise InvalidSignature("the time of the signature is too far from now")


def incoming_event(event: Mapping[str, Any]) -> IncomingEvent:
    """An event of theirs in our words. Raises what a mapping of another form raises."""
    if event["object"] != "event":
        raise ValueError("not an event")
    event_id, kind = event["id"], event["type"]
    if not _is_id(event_id) or not isinstance(kind, str) or "\x00" in kind:
        raise ValueError("an id or a kind of another form")
    ref = _subject(event["data"]["object"]) if not event.get("account") else None  # else a connected account's
    return IncomingEvent(event_id, kind, datetime.fromtimestamp(int(event["created"]), UTC), ref)


def _subject(thing: Mapping[str, Any]) -> ObjectRef | None:
    match thing.get("object"):
        case "checkout.session":
            return _named("checkout", thing.get("id"))
        case "subscription":
            return _named("subscription", thing.get("id"))
        case "invoice":
            return _named("subscription", _subscription_of(thing))
        case "payment_intent":
            return _named("payment", thing.get("id"))
        case "charge":
            return _named("payment", thing.get("payment_intent") or thing.get("id"))
        case "refund" | "dispute":
            return _named("payment", thing.get("payment_intent") or thing.get("charge"))
    return None


def _subscription_of(invoice: Mapping[str, Any]) -> Any:
    parent = invoice.get("parent") or {}
    details = parent.get("subscription_details") or {}
    return details.get("subscription") or invoice.get("subscription")  # an endpoint may speak an older version


def _named(kind: Any, given: Any) -> ObjectRef | None:
    found = given.get("id") if isinstance(given, Mapping) else given
    return ObjectRef(kind, str(found)) if _is_id(found) else None


def _is_id(given: Any) -> bool:
    return isinstance(given, str) and 0 < len(given) <= 255 and given.isascii() and given.isprintable()
