"""Lifecycle of subscriptions: apply the state reported by the gateway, and set the customer's plan."""

from datetime import datetime, timedelta

import structlog
from sqlalchemy import select, update

from hortus import quotas
from hortus.billing import grants
from hortus.billing.checkout.close_checkout import close
from hortus.billing.price_list import prices
from hortus.billing.price_list.prices import PriceRef
from hortus.billing.price_list.settings import BillingSettings
from hortus.billing.subscriptions.duplicates import request_cancellation
from hortus.billing.tables import Checkout, Customer, Subscription
from hortus.core import clock, ids
from hortus.core.db import Tx, db_now
from hortus.payments import SubscriptionState

log = structlog.get_logger()
LIVE = ("trialing", "active", "past_due")


async def find(tx: Tx, gateway: str, external_id: str, *, lock: bool = False) -> Subscription | None:
    """The subscription with that external id."""
    query = select(Subscription).where(Subscription.gateway == gateway, Subscription.external_id == external_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return (await tx.execute(query)).scalar_one_or_none()


async def live_of(tx: Tx, user_id: str) -> Subscription | None:
    """The active subscription of a user."""
    query = select(Subscription).where(Subscription.user_id == user_id, Subscription.status.in_(LIVE))
    return (await tx.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()


async def apply_state(tx: Tx, gateway: str, state: SubscriptionState, fetched_at: datetime) -> bool:
    """Apply the gateway's state. False if a state newer than `fetched_at` was applied before."""
    version = await prices.resolve_price(tx, gateway, state.price)
    row = await find(tx, gateway, state.external_id, lock=True)
    if row is None:
        if version is None:
            return True
        row = await _insert(tx, gateway, state, version)
        if row is None:
            return True
    elif row.synced_at >= fetched_at:
        return False
    values: dict[str, object] = {
        "synced_at": db_now(),
        "period_start": state.period_start,
        "period_end": state.period_end,
        "cancels_at_period_end": state.cancels_at_period_end,
        "trial_end": state.trial_end,
    }
    if state.cancels_at_period_end is None:
        # Not reported: a renewed subscription was not cancelled.
        values["cancels_at_period_end"] = row.cancels_at_period_end and state.period_start < row.period_end
    if state.status == "ended" and row.ended_at is None:
        values.update(ended_at=clock.now(), next_plan_id=None, next_interval=None)
    if row.status not in ("ended", "duplicate"):  # both are final
        values["status"] = state.status
    if version is not None and row.status in LIVE:
        trying = state.status == "trialing"  # nothing was paid yet, so a change takes effect at once
        now = (version.plan_id, version.interval)
        if trying and state.trial_end is not None:
            values.update(
                plan_id=now[0], interval=now[1], next_plan_id=None, next_interval=None, paid_until=state.trial_end
            )
        else:
            other = now != (row.plan_id, row.interval)
            values.update(next_plan_id=now[0] if other else None, next_interval=now[1] if other else None)
    await tx.execute(update(Subscription).where(Subscription.id == row.id).values(**values))
    await apply_plan(tx, row.id)
    return True


async def note_cancellation(tx: Tx, subscription_id: str) -> None:
    """Record a cancellation at the end of the period that the gateway accepted."""
    ending = update(Subscription).where(Subscription.id == subscription_id, Subscription.status.in_(LIVE))
    await tx.execute(ending.values(cancels_at_period_end=True))
    await apply_plan(tx, subscription_id)


async def _insert(tx: Tx, gateway: str, state: SubscriptionState, version: PriceRef) -> Subscription | None:
    user_id, checkout_id = await _owner(tx, gateway, state)
    if user_id is None:
        log.warning("subscription_without_order", gateway=gateway, subscription=state.external_id)
        return None
    row = {
        "id": ids.new(),
        "user_id": user_id,
        "gateway": gateway,
        "external_id": state.external_id,
        "checkout_id": checkout_id,
        "plan_id": version.plan_id,
        "interval": version.interval,
        "currency": version.currency,
        "status": state.status,
        "period_start": state.period_start,
        "period_end": state.period_end,
        "paid_until": state.trial_end or state.period_start,
        "trial_end": state.trial_end,
        "cancels_at_period_end": bool(state.cancels_at_period_end),
        "created_at": clock.now(),
        "ended_at": clock.now() if state.status == "ended" else None,
        "synced_at": clock.EPOCH,
    }
    unwanted = False
    # Two unique indexes can conflict: the subscription exists, or the user has another active one.
    statement = tx.insert(Subscription).on_conflict_do_nothing().returning(Subscription.id)
    if (await tx.execute(statement.values(**row))).first() is None:
        there = await find(tx, gateway, state.external_id, lock=True)
        if there is not None:
            return there
        unwanted = True
        if (await tx.execute(statement.values(**{**row, "status": "duplicate"}))).first() is not None:
            log.error("subscription_duplicate", gateway=gateway, subscription=row["id"])
            await request_cancellation(tx, str(row["id"]))
    if state.customer is not None:
        await tx.execute(
            tx.insert(Customer)
            .values(user_id=user_id, gateway=gateway, external_id=state.customer)
            .on_conflict_do_nothing()
        )
    if checkout_id is not None:
        await close(tx, checkout_id, "paid", gives=not unwanted)
    return await find(tx, gateway, state.external_id, lock=True)


async def _owner(tx: Tx, gateway: str, state: SubscriptionState) -> tuple[str | None, str | None]:
    """The owner of a subscription, from our checkout; data of the gateway alone is not trusted."""
    reference = state.reference
    if reference is None or not ids.is_id(reference):
        return None, None
    query = select(Checkout.user_id).where(
        Checkout.id == reference, Checkout.gateway == gateway, Checkout.kind == "subscription"
    )
    user_id = (await tx.execute(query)).scalar_one_or_none()
    return user_id, reference if user_id is not None else None


async def period_paid(tx: Tx, row: Subscription, version: PriceRef, until: datetime) -> None:
    """Record a paid period; the latest one determines the customer's plan."""
    newest = update(Subscription).where(Subscription.id == row.id, Subscription.paid_until <= until)
    await tx.execute(
        newest.values(
            plan_id=version.plan_id,
            interval=version.interval,
            paid_until=until,
            next_plan_id=None,
            next_interval=None,
        )
    )
    await apply_plan(tx, row.id)


async def apply_plan(tx: Tx, subscription_id: str) -> None:
    """Set the plan of the paid period, or end it with the subscription."""
    query = select(Subscription).where(Subscription.id == subscription_id)
    row = (await tx.execute(query.execution_options(populate_existing=True))).scalar_one()
    if row.status in LIVE:
        if row.paid_until <= row.period_start and row.status != "trialing" and row.trial_end is None:
            return  # nothing was paid yet
        days = 0 if row.cancels_at_period_end else tx.settings(BillingSettings).payment_grace_days
        grace = timedelta(days=days)
        await quotas.set_plan(tx, row.user_id, plan_id=row.plan_id, until=row.paid_until + grace)
    elif row.status == "ended" and await live_of(tx, row.user_id) is None:
        await quotas.end_plan(tx, row.user_id, row.plan_id)
        await grants.end_plan_credit(tx, row.id)
