"""What is done about what a gateway tells: the one place where money becomes credit, and loses it again.

Every fact may come any number of times and in any order; each has its effect once. This file has never
heard of any vendor. All verbs work in the caller's transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import select

from hortus import accounts
from hortus.billing import grants
from hortus.billing.checkout.close_checkout import close
from hortus.billing.payments import clawbacks
from hortus.billing.price_list.catalogue import resolve_price
from hortus.billing.signals import payment_failed, payment_received, subscription_duplicate
from hortus.billing.subscriptions import sync
from hortus.billing.tables import Checkout, Customer, FailedPayment, Payment, Subscription
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.payments import (
    CheckoutExpired,
    CheckoutPaid,
    Disputed,
    Paid,
    PaymentEvent,
    PaymentFailed,
    Refunded,
    SubscriptionChanged,
    SubscriptionRenewed,
)

log = structlog.get_logger()


class StaleRead(Exception):
    """Something newer was applied since the gateway was asked; ask again."""


@dataclass(frozen=True, slots=True)
class _Bought:
    """What a payment is for; without `credits` it grants nothing."""

    kind: str
    user_id: str | None
    title: str
    credits: int = 0
    checkout_id: str | None = None
    subscription_id: str | None = None
    plan_id: str | None = None
    interval: str | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None


async def apply_events(tx: Tx, gateway: str, events: Sequence[PaymentEvent], fetched_at: datetime) -> None:
    """Take note of all that a gateway said when it was asked at `fetched_at` (the database's clock).

    Raises StaleRead, and then nothing may be committed.
    """
    for event in events:
        match event:
            case CheckoutPaid():
                await _checkout_paid(tx, gateway, event)
            case CheckoutExpired():
                await _checkout_expired(tx, gateway, event)
            case SubscriptionChanged():
                if not await sync.take(tx, gateway, event.state, fetched_at):
                    raise StaleRead
            case SubscriptionRenewed():
                await _period_paid(tx, gateway, event)
            case PaymentFailed():
                await _payment_failed(tx, gateway, event)
            case Refunded():
                await clawbacks.refunded(tx, gateway, event)
            case Disputed():
                await clawbacks.disputed(tx, gateway, event)


# Single purchases ------------------------------------------------------------


async def _checkout_paid(tx: Tx, gateway: str, event: CheckoutPaid) -> None:
    checkout = await _checkout(tx, gateway, event.reference)
    if checkout is None:
        log.warning("payment_without_order", gateway=gateway, reference=event.reference[:40])
        owner = await _owner_of(tx, gateway, event.customer)
        await _receive(tx, gateway, event.payment, _Bought("unmatched", owner, "Payment without an order"))
        return
    if event.customer is not None:
        await keep_customer(tx, checkout.user_id, gateway, event.customer)
    fits = (event.payment.amount_minor, event.payment.currency) == (checkout.amount_minor, checkout.currency)
    fits = fits and checkout.kind != "subscription" and await accounts.status_of(tx, checkout.user_id) != "deleted"
    first = fits and await close(tx, checkout.id, "paid")
    bought = _Bought(
        checkout.kind if first else "unmatched",
        checkout.user_id,
        checkout.title,
        checkout.credits if first else 0,
        checkout_id=checkout.id,
    )
    await _receive(tx, gateway, event.payment, bought)


async def _owner_of(tx: Tx, gateway: str, customer: str | None) -> str | None:
    """Whom the gateway calls so; None for nobody that is known here."""
    query = select(Customer.user_id).where(Customer.gateway == gateway, Customer.external_id == customer)
    return (await tx.execute(query)).scalar_one_or_none()


async def _checkout_expired(tx: Tx, gateway: str, event: CheckoutExpired) -> None:
    checkout = await _checkout(tx, gateway, event.reference)
    if checkout is not None:
        await close(tx, checkout.id, "expired")


async def _checkout(tx: Tx, gateway: str, reference: str) -> Checkout | None:
    if not ids.is_id(reference):
        return None
    query = select(Checkout).where(Checkout.id == reference, Checkout.gateway == gateway).with_for_update()
    return (await tx.execute(query)).scalar_one_or_none()


# Periods of a subscription ---------------------------------------------------


async def _period_paid(tx: Tx, gateway: str, event: SubscriptionRenewed) -> None:
    subscription = await sync.find(tx, gateway, event.subscription, lock=True)
    if await _known(tx, gateway, event.payment.external_id):
        return
    sold = await resolve_price(tx, gateway, event.price)
    if subscription is None:
        log.warning("period_without_subscription", gateway=gateway, subscription=event.subscription)
        if (event.reference is not None or sold is not None) and event.payment.amount_minor:  # else none of ours
            bought = _Bought("unmatched", None, "Payment without a subscription")
            await _receive(tx, gateway, event.payment, bought)
        return
    wanted = subscription.status != "duplicate" and sold is not None and sold.currency == event.payment.currency
    wanted = wanted and await _first_fits(tx, subscription, event)
    wanted = wanted and await accounts.status_of(tx, subscription.user_id) != "deleted"
    granted = 0
    if sold is not None and wanted:
        granted = await grants.credits_of_period(tx, subscription, sold, event)
    bought = _Bought(
        ("change" if event.changed else "subscription") if wanted else "unmatched",
        subscription.user_id,
        sold.title if sold is not None else "Subscription",
        granted,
        checkout_id=subscription.checkout_id,
        subscription_id=subscription.id,
        plan_id=sold.plan_id if sold is not None else None,
        interval=sold.interval if sold is not None else None,
        period_start=event.period_start,
        period_end=event.period_end,
    )
    if not await _receive(tx, gateway, event.payment, bought):
        return
    if subscription.status == "duplicate":
        await subscription_duplicate.send(tx, subscription.id)
    if sold is None or not wanted:
        return
    await sync.paid(tx, subscription, sold, event.period_end)
    if subscription.checkout_id is not None:
        await close(tx, subscription.checkout_id, "paid")


async def _first_fits(tx: Tx, subscription: Subscription, event: SubscriptionRenewed) -> bool:
    """The first payment must be of the amount that was ordered; what follows is between gateway and customer."""
    if event.changed or subscription.checkout_id is None:
        return True
    earlier = select(Payment.id).where(Payment.subscription_id == subscription.id).limit(1)
    if (await tx.execute(earlier)).first() is not None:
        return True
    query = select(Checkout.amount_minor, Checkout.trial_days).where(Checkout.id == subscription.checkout_id)
    ordered = (await tx.execute(query)).one()
    return bool(ordered.trial_days) or event.payment.amount_minor == ordered.amount_minor


async def _payment_failed(tx: Tx, gateway: str, event: PaymentFailed) -> None:
    user_id = checkout_id = subscription_id = None
    if event.subscription is not None:
        subscription = await sync.find(tx, gateway, event.subscription)
        if subscription is not None:
            user_id, subscription_id = subscription.user_id, subscription.id
    elif event.reference is not None:
        checkout = await _checkout(tx, gateway, event.reference)
        if checkout is not None:
            user_id, checkout_id = checkout.user_id, checkout.id
    if user_id is None:
        return
    row = {
        "id": ids.new(),
        "user_id": user_id,
        "gateway": gateway,
        "external_id": event.external_id,
        "checkout_id": checkout_id,
        "subscription_id": subscription_id,
        "reason": event.reason[:80],
        "failed_at": event.failed_at,
        "retry_at": event.retry_at,
    }
    made = await tx.execute(
        tx.insert(FailedPayment)
        .values(**row)
        .on_conflict_do_nothing(index_elements=["gateway", "external_id"])
        .returning(FailedPayment.id)
    )
    failed_id = made.scalar_one_or_none()
    if failed_id is not None:
        await payment_failed.send(tx, failed_id)


# Parts -----------------------------------------------------------------------


async def keep_customer(tx: Tx, user_id: str, gateway: str, external_id: str) -> None:
    """Remember what a gateway calls a user; the first name stays."""
    await tx.execute(
        tx.insert(Customer).values(user_id=user_id, gateway=gateway, external_id=external_id).on_conflict_do_nothing()
    )


async def _known(tx: Tx, gateway: str, external_id: str) -> bool:
    query = select(Payment.id).where(Payment.gateway == gateway, Payment.external_id == external_id)
    return (await tx.execute(query)).first() is not None


async def _receive(tx: Tx, gateway: str, paid: Paid, bought: _Bought) -> bool:
    """Book a payment and its credit, the first time; whether it was that."""
    payment_id = ids.new()
    row = {
        "id": payment_id,
        "user_id": bought.user_id,
        "gateway": gateway,
        "external_id": paid.external_id,
        "kind": bought.kind,
        "title": bought.title,
        "checkout_id": bought.checkout_id,
        "subscription_id": bought.subscription_id,
        "plan_id": bought.plan_id,
        "interval": bought.interval,
        "amount_minor": paid.amount_minor,
        "currency": paid.currency,
        "method": paid.method,
        "credits": bought.credits,
        "period_start": bought.period_start,
        "period_end": bought.period_end,
        "refunded_minor": 0,
        "disputed_minor": 0,
        "clawback_due": 0,
        "clawback_taken": 0,
        "restore_count": 0,
        "paid_at": paid.paid_at,
        "created_at": clock.now(),
    }
    made = await tx.execute(
        tx.insert(Payment)
        .values(**row)
        .on_conflict_do_nothing(index_elements=["gateway", "external_id"])
        .returning(Payment.id)
    )
    if made.first() is None:
        return False
    if bought.kind == "unmatched":
        log.error("payment_unmatched", gateway=gateway, payment=payment_id)
    if bought.credits:
        await grants.grant_for(tx, payment_id)
    await payment_received.send(tx, payment_id)
    return True
