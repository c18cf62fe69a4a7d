"""Rules of the simulated gateway: checkouts, subscriptions, renewals, refunds and disputes.

Each function works in the caller's transaction and emits its events in the same transaction.
"""

from datetime import datetime, timedelta
from typing import Any

from hortus import tasks
from hortus.core import clock
from hortus.core.db import Tx
from hortus.payments.base import Declined, GatewayRefused, Order, Proration, RecurringPrice
from hortus.payments.sandbox import store
from hortus.payments.sandbox.store import ObjectKind, StoredObject
from hortus.payments.sandbox.webhook_sender import DELIVER

OPEN_FOR = timedelta(hours=24)
MAX_ATTEMPTS = 3
"""Attempts to renew before the subscription ends."""
RETRY_INTERVAL = timedelta(days=1)
MONTHS = {"month": 1, "year": 12}


# Checkouts -------------------------------------------------------------------


async def open_price(tx: Tx, price: RecurringPrice) -> str:
    """Create a recurring price, idempotently; return its id."""
    body = {"title": price.title, "interval": price.interval, "amount": price.amount_minor, "currency": price.currency}
    made, _ = await store.make(tx, "price", body, key=price.id)
    return made.id


async def open_checkout(tx: Tx, order: Order) -> StoredObject:
    """Open a checkout, idempotently per order."""
    body = {
        "reference": order.id,
        "customer": order.buyer.customer or f"sbx_cus_{order.id}",
        "title": order.title,
        "amount": order.amount_minor,
        "discount": order.discount_minor,
        "currency": order.currency,
        "price": order.price,
        "trial_days": order.trial_days,
        "success_url": order.success_url,
        "cancel_url": order.cancel_url,
        "status": "open",
        "expires_at": clock.iso(clock.now() + OPEN_FOR),
    }
    made, _ = await store.make(tx, "checkout", body, key=order.id, due_at=clock.now() + OPEN_FOR)
    return made


async def pay(tx: Tx, checkout_id: str) -> None:
    """Pay an open checkout; a no-op if it is not open."""
    checkout = await store.find(tx, "checkout", checkout_id, lock=True)
    if checkout is None or checkout.body["status"] != "open":
        return
    body = checkout.body
    body["status"] = "paid"
    if body["price"] is None:
        payment = await _take(tx, checkout.id, body["reference"], body["amount"], body["currency"])
        body["payment"] = payment.id
        await store.save(tx, checkout)
        await _emit(tx, "checkout.paid", "checkout", checkout.id)
        return
    subscription = await _subscribe(tx, checkout)
    body["subscription"] = subscription.id
    await store.save(tx, checkout)
    await _emit(tx, "checkout.paid", "checkout", checkout.id)
    await _emit(tx, "subscription.started", "subscription", subscription.id)


async def decline(tx: Tx, checkout_id: str) -> None:
    """Decline the buyer's card; the checkout stays open."""
    checkout = await store.find(tx, "checkout", checkout_id, lock=True)
    if checkout is None or checkout.body["status"] != "open":
        return
    checkout.body["failure"] = {"at": clock.iso(clock.now()), "reason": "card_declined"}
    await store.save(tx, checkout, due_at=datetime.fromisoformat(checkout.body["expires_at"]))
    await _emit(tx, "payment.failed", "checkout", checkout.id)


async def close(tx: Tx, checkout_id: str) -> None:
    """Expire an open checkout. Raises GatewayRefused if it was paid."""
    checkout = await store.find(tx, "checkout", checkout_id, lock=True)
    if checkout is None or checkout.body["status"] == "expired":
        return
    if checkout.body["status"] == "paid":
        raise GatewayRefused("the checkout was paid")
    checkout.body["status"] = "expired"
    await store.save(tx, checkout)
    await _emit(tx, "checkout.expired", "checkout", checkout.id)


async def charge(tx: Tx, order: Order, *, declined: bool) -> str:
    """Charge a known customer, once per order; return the id of its checkout. Raises Declined."""
    if order.buyer.customer is None:
        raise GatewayRefused("the customer is not known here")
    if declined:
        raise Declined("card_declined")
    body = {"reference": order.id, "customer": order.buyer.customer, "status": "paid", "price": None}
    checkout, new = await store.make(tx, "checkout", body, key=order.id)
    if not new:
        return checkout.id
    payment = await _take(tx, checkout.id, order.id, order.amount_minor, order.currency)
    checkout.body["payment"] = payment.id
    await store.save(tx, checkout)
    await _emit(tx, "checkout.paid", "checkout", checkout.id)
    return checkout.id


# Subscriptions ---------------------------------------------------------------


async def _subscribe(tx: Tx, checkout: StoredObject) -> StoredObject:
    given, now = checkout.body, clock.now()
    price = await _price(tx, given["price"])
    trial_end = now + timedelta(days=given["trial_days"]) if given["trial_days"] else None
    period_end = trial_end or clock.add_months(now, MONTHS[price["interval"]])
    body = {
        "reference": given["reference"],
        "customer": given["customer"],
        "price": given["price"],
        "next_price": None,
        "status": "trialing" if trial_end else "active",
        "period_start": clock.iso(now),
        "period_end": clock.iso(period_end),
        "trial_end": clock.iso(trial_end) if trial_end else None,
        "cancels": False,
        "declining": False,
        "failures": 0,
    }
    subscription, _ = await store.make(tx, "subscription", body, key=given["reference"], due_at=period_end)
    if trial_end is None:
        await _take_period(tx, subscription, given["amount"], now, period_end)
    return subscription


async def renew(tx: Tx, subscription_id: str) -> None:
    """Renew at the end of a period: charge the next one, schedule a retry, or end the subscription."""
    subscription = await store.find(tx, "subscription", subscription_id, lock=True)
    if subscription is None or subscription.body["status"] == "ended":
        return
    body = subscription.body
    if body["cancels"]:
        await _end(tx, subscription)
        return
    if body["declining"]:
        await _fail(tx, subscription)
        return
    body["price"], body["next_price"] = body["next_price"] or body["price"], None
    price = await _price(tx, body["price"])
    start = datetime.fromisoformat(body["period_end"])
    end = clock.add_months(start, MONTHS[price["interval"]])
    body.update(status="active", period_start=clock.iso(start), period_end=clock.iso(end), failures=0, failure=None)
    await _take_period(tx, subscription, price["amount"], start, end)
    await store.save(tx, subscription, due_at=end)
    await _emit(tx, "subscription.renewed", "subscription", subscription.id)


async def _fail(tx: Tx, subscription: StoredObject) -> None:
    body, now = subscription.body, clock.now()
    body["failures"] += 1
    body["failure"] = {"id": f"{subscription.id}_{body['failures']}", "at": clock.iso(now), "reason": "card_declined"}
    if body["failures"] >= MAX_ATTEMPTS:
        await _end(tx, subscription)
        return
    body["status"] = "past_due"
    body["failure"]["retry_at"] = clock.iso(now + RETRY_INTERVAL)
    await store.save(tx, subscription, due_at=now + RETRY_INTERVAL)
    await _emit(tx, "payment.failed", "subscription", subscription.id)


async def set_declining(tx: Tx, subscription_id: str, declining: bool) -> None:
    """Set whether the card of a subscription is declined from now on."""
    subscription = await _subscription(tx, subscription_id)
    subscription.body["declining"] = declining
    await _save(tx, subscription)


async def preview(tx: Tx, subscription_id: str, price_id: str) -> Proration:
    """The prorated cost of a change now: the new price for the rest of the period, less the unused amount."""
    subscription = await store.find(tx, "subscription", subscription_id)
    if subscription is None:
        raise GatewayRefused("there is no such subscription")
    return await _proration(tx, subscription.body, await _price(tx, price_id))


async def _proration(tx: Tx, body: dict[str, Any], new: dict[str, Any]) -> Proration:
    old = await _price(tx, body["price"])
    if new["currency"] != old["currency"]:
        raise GatewayRefused("a subscription keeps its currency")
    start, end = datetime.fromisoformat(body["period_start"]), datetime.fromisoformat(body["period_end"])
    whole = max(1, int((end - start).total_seconds()))
    left = min(max(0, int((end - clock.now()).total_seconds())), whole)
    unused = 0 if body["status"] == "trialing" else old["amount"] * left // whole
    # Another interval starts a new period; the same interval keeps the current one.
    cost = new["amount"] if new["interval"] != old["interval"] else new["amount"] * left // whole
    return Proration(max(0, cost - unused), unused, new["currency"])


async def change(tx: Tx, subscription_id: str, price_id: str, *, now: bool, key: str) -> None:
    """Change the price, now or from the next period on; once per `key`."""
    subscription = await _subscription(tx, subscription_id)
    _, new = await store.make(tx, "change", {"price": price_id, "now": now}, parent=subscription_id, key=key)
    if not new:
        return
    body = subscription.body
    price = await _price(tx, price_id)
    if not now:
        body["next_price"] = None if price_id == body["price"] else price_id
        await _save(tx, subscription)
        await _emit(tx, "subscription.updated", "subscription", subscription.id)
        return
    if body["declining"]:
        raise Declined("card_declined")
    owed = await _proration(tx, body, price)
    interval_before = (await _price(tx, body["price"]))["interval"]
    start, end = clock.now(), datetime.fromisoformat(body["period_end"])
    if price["interval"] != interval_before:
        end = clock.add_months(start, MONTHS[price["interval"]])
        body.update(period_start=clock.iso(start), period_end=clock.iso(end))
    body.update(price=price_id, next_price=None)
    if owed.due_minor:
        await _take_period(tx, subscription, owed.due_minor, start, end, changed=True)
    await _save(tx, subscription)
    await _emit(tx, "subscription.updated", "subscription", subscription.id)


async def cancel(tx: Tx, subscription_id: str, *, now: bool) -> None:
    """Cancel at the end of the period or now; idempotent."""
    subscription = await store.find(tx, "subscription", subscription_id, lock=True)
    if subscription is None:
        raise GatewayRefused("there is no such subscription")
    if subscription.body["status"] == "ended":
        return
    if now:
        await _end(tx, subscription)
        return
    if subscription.body["cancels"]:
        return
    subscription.body["cancels"] = True
    await _save(tx, subscription)
    await _emit(tx, "subscription.updated", "subscription", subscription.id)


async def resume(tx: Tx, subscription_id: str) -> None:
    """Revoke a cancellation; idempotent. Raises GatewayRefused if it has ended."""
    subscription = await _subscription(tx, subscription_id)
    if not subscription.body["cancels"]:
        return
    subscription.body["cancels"] = False
    await _save(tx, subscription)
    await _emit(tx, "subscription.updated", "subscription", subscription.id)


async def _end(tx: Tx, subscription: StoredObject) -> None:
    subscription.body.update(status="ended", ended_at=clock.iso(clock.now()))
    await store.save(tx, subscription)
    await _emit(tx, "subscription.ended", "subscription", subscription.id)


# Refunds and disputes --------------------------------------------------------


async def refund(tx: Tx, payment_id: str, amount: int, *, key: str) -> None:
    """Refund all or part of a payment, once per `key`."""
    payment = await _payment(tx, payment_id)
    made, new = await store.make(
        tx, "refund", {"amount": amount, "currency": payment.body["currency"]}, parent=payment_id, key=key
    )
    if not new:
        return
    back = sum(each.body["amount"] for each in await store.children(tx, payment_id, "refund") if each.id != made.id)
    if amount <= 0 or back + amount > payment.body["amount"]:
        raise GatewayRefused("more than was paid")
    await _emit(tx, "payment.refunded", "payment", payment_id)


async def dispute(tx: Tx, payment_id: str) -> None:
    """Open a dispute; at most one per payment."""
    payment = await _payment(tx, payment_id)
    body = {"amount": payment.body["amount"], "currency": payment.body["currency"], "status": "open"}
    _, new = await store.make(tx, "dispute", body, parent=payment_id, key=payment_id)
    if new:
        await _emit(tx, "dispute.opened", "payment", payment_id)


async def decide(tx: Tx, payment_id: str, *, won: bool) -> None:
    """Close an open dispute as won or lost."""
    await _payment(tx, payment_id)
    for found in await store.children(tx, payment_id, "dispute"):
        if found.body["status"] == "open":
            found.body["status"] = "won" if won else "lost"
            await store.save(tx, found)
            await _emit(tx, "dispute.closed", "payment", payment_id)


# Parts -----------------------------------------------------------------------


async def _take(tx: Tx, parent: str, reference: str, amount: int, currency: str, **more: Any) -> StoredObject:
    body = {"reference": reference, "amount": amount, "currency": currency, "paid_at": clock.iso(clock.now()), **more}
    payment, _ = await store.make(tx, "payment", body, parent=parent)
    return payment


async def _take_period(
    tx: Tx, subscription: StoredObject, amount: int, start: datetime, end: datetime, *, changed: bool = False
) -> None:
    body = subscription.body
    price = await _price(tx, body["price"])
    await _take(
        tx,
        subscription.id,
        body["reference"],
        amount,
        price["currency"],
        price=body["price"],
        period_start=clock.iso(start),
        period_end=clock.iso(end),
        changed=changed,
        subscription=subscription.id,
    )


async def _price(tx: Tx, price_id: str) -> dict[str, Any]:
    found = await store.find(tx, "price", price_id)
    if found is None:
        raise GatewayRefused("there is no such price")
    return found.body


async def _payment(tx: Tx, payment_id: str) -> StoredObject:
    found = await store.find(tx, "payment", payment_id, lock=True)
    if found is None:
        raise GatewayRefused("there is no such payment")
    return found


async def _subscription(tx: Tx, subscription_id: str) -> StoredObject:
    found = await store.find(tx, "subscription", subscription_id, lock=True)
    if found is None or found.body["status"] == "ended":
        raise GatewayRefused("there is no such subscription, or it has ended")
    return found


async def _save(tx: Tx, subscription: StoredObject) -> None:
    failure = subscription.body.get("failure") or {}
    due = failure.get("retry_at") or subscription.body["period_end"]
    await store.save(tx, subscription, due_at=datetime.fromisoformat(due))


async def _emit(tx: Tx, kind: str, subject_kind: ObjectKind, subject_id: str) -> None:
    event_id = await store.record_event(tx, kind, subject_kind, subject_id)
    await tasks.enqueue(tx, DELIVER, {"event_id": event_id})
