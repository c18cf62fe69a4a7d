"""Apply payment events: the only place where payments become credits and plans, and refunds take them back.

Events arrive any number of times and in any order; each has its effect once. All functions work in the caller's
transaction and are the same for every gateway.
"""

from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy import select

from hortus import accounts
from hortus.billing import grants
from hortus.billing.checkout.close_checkout import close
from hortus.billing.customers import keep_customer, user_of_customer
from hortus.billing.payments import clawbacks
from hortus.billing.payments.booking import Purchase, book, is_booked
from hortus.billing.price_list.prices import resolve_price
from hortus.billing.signals import payment_failed
from hortus.billing.subscriptions import dunning, lifecycle
from hortus.billing.subscriptions.duplicates import request_cancellation
from hortus.billing.sync import StaleRead
from hortus.billing.tables import Checkout, FailedPayment, Payment, Subscription
from hortus.core import ids
from hortus.core.db import Tx
from hortus.payments import (
    CheckoutExpired,
    CheckoutPaid,
    Disputed,
    PaymentEvent,
    PaymentFailed,
    Refunded,
    SubscriptionChanged,
    SubscriptionRenewed,
)

log = structlog.get_logger()


async def apply_events(tx: Tx, gateway: str, events: Sequence[PaymentEvent], fetched_at: datetime) -> None:
    """Apply the events that were fetched from a gateway at `fetched_at` (the database's clock).

    Raises StaleRead; the caller must then roll back.
    """
    for event in events:
        match event:
            case CheckoutPaid():
                await _checkout_paid(tx, gateway, event)
            case CheckoutExpired():
                await _checkout_expired(tx, gateway, event)
            case SubscriptionChanged():
                if not await lifecycle.apply_state(tx, gateway, event.state, fetched_at):
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
        owner = await user_of_customer(tx, gateway, event.customer)
        await book(tx, gateway, event.payment, Purchase("unmatched", owner, "Payment without an order"))
        return
    if event.customer is not None:
        await keep_customer(tx, checkout.user_id, gateway, event.customer)
    fits = (event.payment.amount_minor, event.payment.currency) == (checkout.amount_minor, checkout.currency)
    fits = fits and checkout.kind != "subscription" and await accounts.status_of(tx, checkout.user_id) != "deleted"
    first = fits and await close(tx, checkout.id, "paid")
    bought = Purchase(
        checkout.kind if first else "unmatched",
        checkout.user_id,
        checkout.title,
        checkout.credits if first else 0,
        checkout_id=checkout.id,
    )
    await book(tx, gateway, event.payment, bought)


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
    subscription = await lifecycle.find(tx, gateway, event.subscription, lock=True)
    if await is_booked(tx, gateway, event.payment.external_id):
        return
    sold = await resolve_price(tx, gateway, event.price)
    if subscription is None:
        log.warning("period_without_subscription", gateway=gateway, subscription=event.subscription)
        if (
            event.reference is not None or sold is not None
        ) and event.payment.amount_minor:  # otherwise it is not from this installation
            bought = Purchase("unmatched", None, "Payment without a subscription")
            await book(tx, gateway, event.payment, bought)
        return
    wanted = subscription.status != "duplicate" and sold is not None and sold.currency == event.payment.currency
    wanted = wanted and await _first_fits(tx, subscription, event)
    wanted = wanted and await accounts.status_of(tx, subscription.user_id) != "deleted"
    granted = 0
    if sold is not None and wanted:
        granted = await grants.credits_of_period(tx, subscription, sold, event)
    bought = Purchase(
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
    if not await book(tx, gateway, event.payment, bought):
        return
    if subscription.status == "duplicate":
        await request_cancellation(tx, subscription.id)
    if sold is None or not wanted:
        return
    await lifecycle.period_paid(tx, subscription, sold, event.period_end)
    if subscription.checkout_id is not None:
        await close(tx, subscription.checkout_id, "paid")


async def _first_fits(tx: Tx, subscription: Subscription, event: SubscriptionRenewed) -> bool:
    """Whether the first payment has the ordered amount; later ones are determined by the gateway."""
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
        subscription = await lifecycle.find(tx, gateway, event.subscription)
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
        await dunning.on_payment_failed(tx, failed_id)
        await payment_failed.send(tx, failed_id)
