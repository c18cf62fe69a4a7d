"""Credit for money, and its end with the plan that brought it."""

from datetime import datetime

from sqlalchemy import select

from hortus import ledger, quotas
from hortus.billing.closing import reference_of
from hortus.billing.sold import MONTHS, Sold, credits_of
from hortus.billing.tables import Payment, Subscription
from hortus.core import clock
from hortus.core.clock import months_later
from hortus.core.db import Tx
from hortus.payments import SubscriptionRenewed


def references_of(payment_id: str, restored: int) -> list[str]:
    """The ledger's names of the grants of a payment: its own, and one for each time a dispute was won."""
    own = f"payment:{payment_id}"
    return [own, *(f"{own}:restored:{number}" for number in range(1, restored + 1))]


async def grant_for(tx: Tx, payment_id: str) -> None:
    """Grant what a payment bought, once. Credit of a plan burns first and ends with its period."""
    row = (await tx.execute(select(Payment).where(Payment.id == payment_id))).scalar_one()
    of_plan = row.kind in ("subscription", "change")
    await ledger.grant(
        tx,
        row.user_id,
        row.credits,
        reference=references_of(row.id, 0)[0],
        reason=row.title,
        priority=ledger.PRIORITY_PLAN if of_plan else ledger.PRIORITY_BOUGHT,
        expires_at=row.period_end if of_plan else None,
    )


async def credits_of_period(tx: Tx, row: Subscription, sold: Sold, fact: SubscriptionRenewed) -> int:
    """The credit a period brings; for a change in its middle the difference to what was bought before, by time."""
    whole = credits_of(await quotas.plan_version(tx, sold.plan_id), sold.interval)
    if not fact.changed:
        return whole
    lasts = _seconds(fact.period_start, fact.period_end)
    full = _seconds(fact.period_start, months_later(fact.period_start, MONTHS[sold.interval]))
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
    left = max(0, _seconds(fact.period_start, before.period_end))
    return max(0, gained - paid * left // max(1, _seconds(before.period_start, before.period_end)))


async def end_plan_credit(tx: Tx, subscription_id: str) -> None:
    """A subscription has ended: what it granted and nobody used goes now; what was bought otherwise stays."""
    order = select(Subscription.checkout_id).where(Subscription.id == subscription_id)
    checkout_id = (await tx.execute(order)).scalar_one_or_none()
    if checkout_id is not None:  # a coupon may have made the first period free
        await ledger.end_grant(tx, reference_of(checkout_id))
    query = select(Payment.id, Payment.restored).where(
        Payment.subscription_id == subscription_id,
        Payment.kind.in_(("subscription", "change")),
        Payment.period_end > clock.now(),
    )
    for payment_id, restored in (await tx.execute(query)).all():
        for reference in references_of(payment_id, restored):
            await ledger.end_grant(tx, reference)


def _seconds(start: datetime, end: datetime) -> int:
    return int((end - start).total_seconds())
