"""The only place that closes a checkout, as paid or expired: settles its coupon, top-up and free credits, once."""

from datetime import timedelta
from typing import Any

from sqlalchemy import update

from hortus import ledger
from hortus.billing import auto_topup, coupons
from hortus.billing.tables import Checkout
from hortus.core import clock
from hortus.core.db import Tx


def reference_of(checkout_id: str) -> str:
    """The ledger reference of credits that a checkout granted without a payment."""
    return f"checkout:{checkout_id}"


async def close(tx: Tx, checkout_id: str, status: str, *, gives: bool = True) -> bool:
    """Mark a checkout `paid` or `expired`; return whether this call did. An expired checkout may still be paid.

    With `gives`, credits that a coupon made free are granted now.
    """
    waiting = ("new", "open", "expired") if status == "paid" else ("new", "open")
    closed = await tx.execute(
        update(Checkout)
        .where(Checkout.id == checkout_id, Checkout.status.in_(waiting))
        .values(status=status, closed_at=clock.now(), order=None)
        .returning(
            Checkout.id,
            Checkout.user_id,
            Checkout.kind,
            Checkout.title,
            Checkout.coupon_id,
            Checkout.credits,
            Checkout.amount_minor,
            Checkout.trial_days,
            Checkout.created_at,
        )
    )
    row = closed.one_or_none()
    if row is None:
        return False
    if row.coupon_id is not None:
        await coupons.settle(tx, checkout_id, paid=status == "paid")
    if row.kind == "auto_topup":
        of_order = (row.user_id, row.id, row.amount_minor, row.created_at)
        await auto_topup.finish(tx, *of_order, paid=status == "paid")
    if gives and status == "paid" and row.credits and (row.kind == "subscription" or not row.amount_minor):
        await _give(tx, row)
    return True


async def _give(tx: Tx, row: Any) -> None:
    """Grant credits that a coupon made free. Credits of a plan expire with the free period."""
    of_plan = row.kind == "subscription"
    await ledger.grant(
        tx,
        row.user_id,
        row.credits,
        reference=reference_of(row.id),
        reason=row.title,
        priority=ledger.PRIORITY_PLAN if of_plan else ledger.PRIORITY_GIFT,
        expires_at=clock.now() + timedelta(days=row.trial_days) if of_plan else None,
    )
