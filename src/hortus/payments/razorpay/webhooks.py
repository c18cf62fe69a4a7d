"""Verify webhooks and callbacks of Razorpay, and list changes whose webhooks may be lost."""

import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta

from hortus.core import clock
from hortus.payments.base import IncomingEvent, InvalidSignature, ObjectRef
from hortus.payments.razorpay.client import ID, Client, Entity
from hortus.payments.razorpay.objects import moment, whole

AHEAD = timedelta(minutes=5)
OLDEST = timedelta(hours=25)
"""Maximum age of an event. Razorpay retries for a day, and the time is that of the event, not of the attempt. Older
webhooks are replays; the sweep finds older changes."""
DECIDED_WITHIN = timedelta(days=120)
"""How long a dispute may stay open."""
_EVENT_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")


def parse_webhook(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> IncomingEvent:
    """Verify and parse a webhook. Raises InvalidSignature."""
    _check(secret, body, headers.get("x-razorpay-signature", ""))
    try:
        said = json.loads(body)
        kind, payload, stamped = said["event"], said["payload"], moment(said["created_at"])
        if said["entity"] != "event" or not isinstance(kind, str) or not isinstance(payload, dict):
            raise ValueError("not an event")
        ref = _subject(payload)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise InvalidSignature("the event has another form") from error
    if stamped - now > AHEAD:
        raise InvalidSignature("the event is from the future")
    if now - stamped > OLDEST:
        raise InvalidSignature("the event is older than Razorpay would send it")
    given = headers.get("x-razorpay-event-id", "")
    # The header is not signed: a forged id at worst repeats an event, which has no effect.
    event_id = given if _EVENT_ID.fullmatch(given) else f"sha256_{hashlib.sha256(body).hexdigest()}"
    return IncomingEvent(event_id, kind[:120].replace("\x00", ""), stamped, ref)


def _subject(payload: Entity) -> ObjectRef | None:
    """The object that an event names."""
    parts = {name: part["entity"] for name, part in payload.items() if isinstance(part, dict) and "entity" in part}
    if "subscription" in parts:
        return _named("subscription", parts["subscription"].get("id"))
    if parts.get("invoice", {}).get("subscription_id"):
        return _named("subscription", parts["invoice"]["subscription_id"])
    for name in ("dispute", "refund"):
        if name in parts:
            return _named("payment", parts[name].get("payment_id"))
    if "payment" in parts:
        return _named("payment", parts["payment"].get("id"))
    return _named("checkout", parts["order"].get("id")) if "order" in parts else None


def _named(kind: str, id: object) -> ObjectRef | None:
    if not isinstance(id, str) or ID.fullmatch(id) is None:
        return None
    return ObjectRef(kind, id)  # type: ignore[arg-type] # the three kinds stand in `_subject`


def verify(secret: str, fields: Mapping[str, str]) -> ObjectRef:
    """Verify the fields that the buyer's browser returned; return the checkout. Raises InvalidSignature."""
    payment, given = fields.get("razorpay_payment_id", ""), fields.get("razorpay_signature", "")
    order, subscription = fields.get("razorpay_order_id", ""), fields.get("razorpay_subscription_id", "")
    bought = order or subscription
    if (order and subscription) or not all(ID.fullmatch(each) for each in (payment, bought)):
        raise InvalidSignature("the fields have another form")
    signed = f"{order}|{payment}" if order else f"{payment}|{subscription}"
    _check(secret, signed.encode(), given)
    return ObjectRef("checkout", bought)


def _check(secret: str, signed: bytes, given: str) -> None:
    if _SIGNATURE.fullmatch(given) is None:
        raise InvalidSignature("no signature")
    if not secret or not hmac.compare_digest(hmac.new(secret.encode(), signed, "sha256").hexdigest(), given):
        raise InvalidSignature("the signature is wrong")


# What was never sent ---------------------------------------------------------


async def list_events_since(client: Client, since: datetime) -> AsyncIterator[IncomingEvent]:
    """Synthetic events of all changes since then. Razorpay lists no events, so each state of an object yields one."""
    start = int(since.timestamp())
    found = [_payment(each) async for each in client.each("payments", **{"from": start}) if each["status"] != "created"]
    found += [_undone("refund", each) async for each in client.each("refunds", **{"from": start})]
    oldest = int((clock.now() - DECIDED_WITHIN).timestamp())
    found += [_undone("dispute", each) async for each in client.each("disputes", **{"from": min(oldest, start)})]
    found += [_subscription(each) async for each in client.each("subscriptions") if each["status"] != "created"]
    for incoming in sorted(found, key=lambda each: (each.occurred_at, each.event_id)):
        yield incoming


def _payment(payment: Entity) -> IncomingEvent:
    state = f"{payment['status']}:{whole(payment.get('amount_refunded') or 0)}"
    return _made("payment", payment, state, ObjectRef("payment", payment["id"]))


def _undone(kind: str, entity: Entity) -> IncomingEvent:
    return _made(kind, entity, entity["status"], ObjectRef("payment", entity["payment_id"]))


def _subscription(entity: Entity) -> IncomingEvent:
    state = f"{entity['status']}:{entity.get('paid_count') or 0}:{entity['plan_id']}:{entity.get('current_end') or 0}"
    return _made("subscription", entity, state, ObjectRef("subscription", entity["id"]))


def _made(kind: str, entity: Entity, state: str, ref: ObjectRef) -> IncomingEvent:
    return IncomingEvent(f"{entity['id']}:{state}", f"{kind}.found", moment(entity["created_at"]), ref, synthetic=True)
