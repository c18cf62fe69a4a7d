"""Credits of payments: their grants, expiry, and end with the subscription."""

from datetime import datetime

from sqlalchemy import select

from hortus import ledger, quotas
from hortus.billing.checkout.close_checkout import reference_of
from hortus.billing.price_list.prices import MONTHS, PriceRef, credits_of
from hortus.billing.price_list.settings import BillingSettings
from hortus.billing.tables import Payment, Subscription
from hortus.core import clock
from hortus.core.clock import add_months
from hortus.core.db import Tx
from hortus.payments import SubscriptionRenewed

OF_PLAN = ("subscription", "change")
RECENT = 100
"""Latest payments of a subscription that may still have credits: far more than can roll over."""


def references_of(payment_id: str, restored: int) -> list[str]:
    """The ledger references of a payment's grants: its own, and one per dispute that was won."""
    own = f"payment:{payment_id}"
    return [own, *(f"{own}:restored:{number}" for number in range(1, restored + 1))]


def priority_of(payment: Payment) -> int:
    """Credits of a plan are used before credits that were bought."""
    return ledger.PRIORITY_PLAN if payment.kind in OF_PLAN else ledger.PRIORITY_BOUGHT


def credit_ends(tx: Tx, payment: Payment) -> datetime | None:
    """When credits expire: at the end of their period plus the rollover periods; bought credits never."""
    if payment.kind not in OF_PLAN or payment.period_end is None:
        return None
    periods = tx.settings(BillingSettings).plan_rollover_periods
    return add_months(payment.period_end, periods * MONTHS[payment.interval or "month"])


async def grant_for(tx: Tx, payment_id: str) -> None:
    """Grant the credits of a payment, once."""
    row = (await tx.execute(select(Payment).where(Payment.id == payment_id))).scalar_one()
    await ledger.grant(
        tx,
        row.owner,
        row.credits,
        reference=references_of(row.id, 0)[0],
        reason=row.title,
        priority=priority_of(row),
        expires_at=credit_ends(tx, row),
    )


async def credits_of_period(tx: Tx, row: Subscription, sold: PriceRef, event: SubscriptionRenewed) -> int:
    """The credits of a period; for a change within a period, the prorated difference to the earlier plan."""
    whole = credits_of(await quotas.plan_version(tx, sold.plan_id), sold.interval)
    if not event.changed:
        return whole
    lasts = _seconds(event.period_start, event.period_end)
    full = _seconds(event.period_start, add_months(event.period_start, MONTHS[sold.interval]))
    gained = whole * min(lasts, full) // full
    query = (
        select(Payment)
        .where(Payment.subscription_id == row.id, Payment.kind == "subscription", Payment.plan_id.is_not(None))
        .order_by(Payment.period_end.desc())
        .limit(1)
    )
    before = (await tx.execute(query)).scalar_one_or_none()
    if before is None or before.period_start is None or before.period_end is None or before.plan_id is None:
        return gained
    paid = credits_of(await quotas.plan_version(tx, before.plan_id), before.interval or "month")
    left = max(0, _seconds(event.period_start, before.period_end))
    return max(0, gained - paid * left // max(1, _seconds(before.period_start, before.period_end)))


async def end_plan_credit(tx: Tx, subscription_id: str) -> None:
    """Expire the unused credits of a subscription that ended; bought credits stay."""
    order = select(Subscription.checkout_id).where(Subscription.id == subscription_id)
    checkout_id = (await tx.execute(order)).scalar_one_or_none()
    if checkout_id is not None:  # the first period may have been free through a coupon
        await ledger.end_grant(tx, reference_of(checkout_id))
    query = select(Payment).where(Payment.subscription_id == subscription_id, Payment.kind.in_(OF_PLAN))
    for payment in (await tx.execute(query.order_by(Payment.id.desc()).limit(RECENT))).scalars().all():
        ends = credit_ends(tx, payment)
        if ends is not None and ends > clock.now():
            for reference in references_of(payment.id, payment.restore_count):
                await ledger.end_grant(tx, reference)


def _seconds(start: datetime, end: datetime) -> int:
    return int((end - start).total_seconds())
