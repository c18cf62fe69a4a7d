"""Verify and parse webhooks of Stripe."""

import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hortus.payments.base import GatewayNotConfigured, IncomingEvent, InvalidSignature, ObjectRef

WINDOW = timedelta(minutes=5)
"""Tolerance of the signed time, in both directions: the SDK's own check accepts times in the future."""
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
"""The events to subscribe to and to list; Stripe lists at most twenty types at once."""


def parse_webhook(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> IncomingEvent:
    """Verify and parse a webhook. Raises GatewayNotConfigured without a secret, InvalidSignature."""
    if not secret:
        raise GatewayNotConfigured("STRIPE_WEBHOOK_SECRET is not set")
    _verify(secret, headers.get("stripe-signature", ""), body, now)
    try:
        return incoming_event(json.loads(body))
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError) as error:
        raise InvalidSignature("the event has another form") from error


def _verify(secret: str, header: str, body: bytes, now: datetime) -> None:
    parts = [part.strip().split("=", 1) for part in header.split(",")]
    timestamps = [part[1] for part in parts if part[0] == "t" and len(part) == 2]
    given = [part[1].encode() for part in parts if part[0] == "v1" and len(part) == 2][:MOST_SIGNATURES]
    if len(timestamps) != 1 or not given:
        raise InvalidSignature("no signature")
    timestamp = timestamps[0]
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12):
        raise InvalidSignature("the time of the signature is no time")
    right = hmac.new(secret.encode(), timestamp.encode() + b"." + body, "sha256").hexdigest().encode()
    # While a secret is rotated there is a signature for each: compare all, in constant time.
    if sum(hmac.compare_digest(right, each) for each in given) == 0:
        raise InvalidSignature("the signature is wrong")
    if abs(now.timestamp() - int(timestamp)) > WINDOW.total_seconds():
        raise InvalidSignature("the time of the signature is too far from now")


def incoming_event(event: Mapping[str, Any]) -> IncomingEvent:
    """Convert an event of Stripe. Raises KeyError, TypeError or ValueError if it is malformed."""
    if event["object"] != "event":
        raise ValueError("not an event")
    event_id, kind = event["id"], event["type"]
    if not _is_id(event_id) or not isinstance(kind, str) or "\x00" in kind:
        raise ValueError("an id or a kind of another form")
    ref = (
        _subject(event["data"]["object"]) if not event.get("account") else None
    )  # events of connected accounts are ignored
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
    return details.get("subscription") or invoice.get("subscription")  # older API versions


def _named(kind: Any, given: Any) -> ObjectRef | None:
    found = given.get("id") if isinstance(given, Mapping) else given
    return ObjectRef(kind, str(found)) if _is_id(found) else None


def _is_id(given: Any) -> bool:
    return isinstance(given, str) and 0 < len(given) <= 255 and given.isascii() and given.isprintable()
