"""Fetch orders and subscriptions with their payments from Razorpay as payment events. Nothing is cached.

Our reference is read from the notes of the order or subscription, which only the holder of the key secret can write.
The notes of a payment come from the buyer's browser and are ignored.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import structlog

from hortus.core import clock
from hortus.payments.base import (
    CheckoutExpired,
    CheckoutPaid,
    Disputed,
    DisputeStatus,
    GatewayRefused,
    GatewayUnavailable,
    ObjectRef,
    PaymentEvent,
    PaymentFailed,
    Refunded,
)
from hortus.payments.razorpay import subscriptions
from hortus.payments.razorpay.client import Client, Entity
from hortus.payments.razorpay.objects import moment, paid_of, reference_of, whole

log = structlog.get_logger()
T = TypeVar("T")
CLOSED = "closed"
"""Note on an order that we closed."""
HAS_MONEY = ("captured", "refunded")
AT_ONCE = 8
LATEST_FAILURES = 10


async def fetch_events(client: Client, ref: ObjectRef) -> list[PaymentEvent]:
    """The current state of an object as events, causes before effects."""
    try:
        if ref.external_id.startswith("sub_"):
            return await _of_subscription(client, ref.external_id)
        if ref.kind == "payment":
            return await _of_payment(client, ref.external_id)
        return await _of_order(client, ref.external_id)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise GatewayUnavailable(f"Razorpay's answer has another form: {type(error).__name__}") from error


async def _of_payment(client: Client, payment_id: str) -> list[PaymentEvent]:
    """Events of the order or, through its invoice, the subscription of a payment; other payments are ignored."""
    payment = await client.find("payments", payment_id)
    if payment is None:
        return []
    if payment.get("invoice_id"):
        invoice = await client.find("invoices", payment["invoice_id"])
        if invoice is not None and invoice.get("subscription_id"):
            return await _of_subscription(client, invoice["subscription_id"])
    return await _of_order(client, payment["order_id"]) if payment.get("order_id") else []


# Orders ----------------------------------------------------------------------


async def _of_order(client: Client, order_id: str) -> list[PaymentEvent]:
    order = await client.find("orders", order_id)
    reference = reference_of(order)
    if order is None or reference is None:
        return []
    payments = await payments_of(client, order_id)
    if order["notes"].get(CLOSED):
        await _give_back(client, payments)
        return [CheckoutExpired(reference)]
    if not any(payment["status"] in HAS_MONEY for payment in payments):
        payments = await _capture(client, order, payments)
    paid = [payment for payment in payments if payment["status"] in HAS_MONEY]
    if not paid:
        failed = [payment for payment in payments if payment["status"] == "failed"]
        return [failure(payment, reference=reference) for payment in failed[-LATEST_FAILURES:]]
    undone = await undone_of(client, paid)
    events: list[PaymentEvent] = []
    for payment in paid:
        events += [CheckoutPaid(reference, paid_of(payment)), *undone[payment["id"]]]
    return events


async def _capture(client: Client, order: Entity, payments: list[Entity]) -> list[Entity]:
    """Capture a late authorisation that Razorpay did not capture: one payment of the order's amount."""
    for payment in payments:
        if payment["status"] == "authorized" and payment["amount"] == order["amount"]:
            wanted = {"amount": order["amount"], "currency": order["currency"]}
            with suppress(GatewayRefused):  # captured or refunded concurrently: read it again
                await client.post(f"payments/{payment['id']}/capture", wanted)
            return await payments_of(client, order["id"])
    return payments


async def _give_back(client: Client, payments: list[Entity]) -> None:
    """Refund, once, payments of an order that we closed: Razorpay cannot close orders itself."""
    for payment in payments:
        left = whole(payment["amount"]) - whole(payment.get("amount_refunded") or 0)
        if payment["status"] == "captured" and left:
            log.warning("payment_of_closed_order_returned", gateway="razorpay", payment=payment["id"])
            await refund(client, payment["id"], left, key=f"closed:{payment['id']}")


async def refund(client: Client, payment_id: str, amount: int, *, key: str) -> None:
    """Refund a payment, once per `key`."""
    once = hashlib.sha256(key.encode()).hexdigest()
    body = {"amount": amount, "speed": "normal", "notes": {"reference": once}}
    await client.post(f"payments/{payment_id}/refund", body, X_Refund_Idempotency=once)


async def close_order(client: Client, order_id: str) -> None:
    """Mark an unpaid order as closed; later payments are refunded. Raises GatewayRefused if it was paid."""
    order = await client.find("orders", order_id)
    if order is None or order["notes"].get(CLOSED):
        return
    payments = await payments_of(client, order_id)
    if order["status"] == "paid" or any(each["status"] in ("authorized", *HAS_MONEY) for each in payments):
        raise GatewayRefused("the order was paid")
    await client.patch(f"orders/{order_id}", {"notes": {**order["notes"], CLOSED: "yes"}})


async def payments_of(client: Client, order_id: str) -> list[Entity]:
    """Every attempt to pay an order, oldest first."""
    found = (await client.get(f"orders/{order_id}/payments")).get("items") or []
    return sorted(found, key=lambda payment: (payment["created_at"], payment["id"]))


# Subscriptions ---------------------------------------------------------------


async def _of_subscription(client: Client, subscription_id: str) -> list[PaymentEvent]:
    found = await client.find("subscriptions", subscription_id)
    reference = reference_of(found)
    if found is None or reference is None:
        return []
    invoices = [each async for each in client.each("invoices", subscription_id=subscription_id)]
    invoices.reverse()  # oldest first, also within one second
    bought = sorted(
        (each for each in invoices if each["status"] == "paid" and each.get("payment_id")),
        key=lambda each: (each.get("billing_start") or each["issued_at"], each["issued_at"]),
    )
    if not bought and subscriptions.never_began(found):
        return [CheckoutExpired(reference)] if found["status"] in subscriptions.OVER else []
    payments = await together([client.get(f"payments/{each['payment_id']}") for each in bought])
    paid = [payment for payment in payments if payment["status"] in HAS_MONEY]
    undone = await undone_of(client, paid)
    events: list[PaymentEvent] = [subscriptions.changed(found, reference)]
    before: Entity | None = None
    for invoice, payment in zip(bought, payments, strict=True):
        if payment["status"] in HAS_MONEY:
            price = await subscriptions.price_of(client, found, invoice)
            events += [subscriptions.renewed(found, reference, invoice, paid_of(payment), price, before)]
            events += undone[payment["id"]]
            before = invoice
    if found["status"] in subscriptions.LATE:
        events += await _failures(client, found, invoices)
    return events


async def _failures(client: Client, subscription: Entity, invoices: Sequence[Entity]) -> list[PaymentEvent]:
    """The failed attempts to pay the newest unpaid period."""
    waiting = [each for each in invoices if each["status"] == "issued" and each.get("order_id")]
    if not waiting:
        return []
    newest = max(waiting, key=lambda each: each["issued_at"])
    tries = [each for each in await payments_of(client, newest["order_id"]) if each["status"] == "failed"]
    again = moment(subscription["charge_at"]) if subscription.get("charge_at") else None
    if subscription["status"] != "pending" or again is None or again <= clock.now():
        again = None
    return [
        failure(payment, subscription=subscription["id"], retry_at=again if payment is tries[-1] else None)
        for payment in tries[-LATEST_FAILURES:]
    ]


# Money -----------------------------------------------------------------------


def failure(payment: Entity, **of: Any) -> PaymentFailed:
    """A failed attempt, with Razorpay's reason code."""
    reason = payment.get("error_reason") or payment.get("error_code") or "payment_failed"
    return PaymentFailed(payment["id"], str(reason)[:80], moment(payment["created_at"]), **of)


async def undone_of(client: Client, payments: Sequence[Entity]) -> dict[str, list[PaymentEvent]]:
    """Refunds and disputes of these payments, by payment id."""
    found: dict[str, list[PaymentEvent]] = {payment["id"]: [] for payment in payments}
    touched = [payment["id"] for payment in payments if payment.get("amount_refunded")]
    lists = await together([client.get(f"payments/{each}/refunds", count=100) for each in touched])
    for payment_id, listed in zip(touched, lists, strict=True):
        refunds = sorted(listed.get("items") or [], key=lambda each: (each["created_at"], each["id"]))
        found[payment_id] += [_refunded(each) for each in refunds if each["status"] != "failed"]
    if payments:
        # The API cannot list the disputes of one payment: list those since the payment.
        first = min(whole(payment["created_at"]) for payment in payments)
        async for dispute in client.each("disputes", **{"from": first}):
            status = _status(dispute)
            if status is not None and dispute["payment_id"] in found:
                found[dispute["payment_id"]].append(
                    Disputed(
                        dispute["id"],
                        dispute["payment_id"],
                        whole(dispute["amount"]),
                        dispute["currency"].upper(),
                        status,
                        moment(dispute["created_at"]),
                    )
                )
    return found


def _refunded(refund: Entity) -> Refunded:
    return Refunded(
        refund["id"],
        refund["payment_id"],
        whole(refund["amount"]),
        refund["currency"].upper(),
        moment(refund["created_at"]),
    )


def _status(dispute: Entity) -> DisputeStatus | None:
    """The status of a dispute; None for a retrieval request, which withdraws no money."""
    status, taken = dispute["status"], dispute.get("amount_deducted") or 0
    if status in ("won", "lost"):
        return "won" if status == "won" else "lost"
    if status == "closed":
        return "lost" if taken else "won"
    asks = dispute.get("phase") in ("fraud", "retrieval")
    return None if asks and not taken else "open"


# Parts -----------------------------------------------------------------------


async def together(calls: Sequence[Awaitable[T]]) -> list[T]:
    """Await these calls, a few at a time; raise the first error after all have ended."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(call: Awaitable[T]) -> T:
        async with gate:
            return await call

    results = await asyncio.gather(*(one(call) for call in calls), return_exceptions=True)
    done: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        done.append(result)
    return done
