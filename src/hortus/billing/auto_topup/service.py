"""Automatic top-ups: set up, started one at a time within their cap, and ended."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, select, update

from hortus import auth
from hortus.billing.auto_topup.tables import AutoTopup
from hortus.core import clock
from hortus.core.db import Tx

PAUSES = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
"""Pauses after consecutive failed charges; after the last one the top-up is disabled."""
HOUR = timedelta(hours=1)


async def find(tx: Tx, user_id: str) -> AutoTopup | None:
    """The automatic top-up of a user, if one was ever set up."""
    query = select(AutoTopup).where(AutoTopup.user_id == user_id).execution_options(populate_existing=True)
    return (await tx.execute(query)).scalar_one_or_none()


async def set_up(tx: Tx, user_id: str, **wanted: Any) -> AutoTopup:
    """Store the settings of a user; the amount spent this month is kept while the currency is."""
    now = clock.now()
    fresh = {**wanted, "failures": 0, "next_at": now, "stopped": None, "updated_at": now}
    empty = {"month": month_of(now), "spent_minor": 0, "hour_started": now, "hour_count": 0, "checkout_id": None}
    same = AutoTopup.currency == wanted["currency"]
    await tx.execute(
        tx.insert(AutoTopup)
        .values(user_id=user_id, **fresh, **empty)
        .on_conflict_do_update(
            index_elements=["user_id"],
            set_={**fresh, "spent_minor": case((same, AutoTopup.spent_minor), else_=0)},
        )
    )
    found = await find(tx, user_id)
    assert found is not None  # noqa: S101 - it was just written
    return found


async def disable(tx: Tx, user_id: str) -> None:
    """Disable the top-up; a charge in progress is not cancelled."""
    off = update(AutoTopup).where(AutoTopup.user_id == user_id).values(enabled=False, updated_at=clock.now())
    await tx.execute(off)


async def start(tx: Tx, user_id: str, checkout_id: str, amount_minor: int, currency: str, per_hour: int) -> bool:
    """Start an order, within the cap and the hourly limit. False: the caller must roll the order back."""
    now = clock.now()
    month = month_of(now)
    spent = case((AutoTopup.month == month, AutoTopup.spent_minor), else_=0)
    running = AutoTopup.hour_started > now - HOUR
    count = case((running, AutoTopup.hour_count), else_=0)
    started = (
        update(AutoTopup)
        .where(
            AutoTopup.user_id == user_id,
            AutoTopup.enabled,
            AutoTopup.checkout_id.is_(None),
            AutoTopup.currency == currency,
            AutoTopup.next_at <= now,
            spent + amount_minor <= AutoTopup.monthly_cap_minor,
            count < per_hour,
        )
        .values(
            checkout_id=checkout_id,
            month=month,
            spent_minor=spent + amount_minor,
            hour_started=case((running, AutoTopup.hour_started), else_=now),
            hour_count=count + 1,
        )
        .returning(AutoTopup.user_id)
    )
    return (await tx.execute(started)).first() is not None


async def pause(tx: Tx, user_id: str, lasts: timedelta) -> None:
    """Check an automatic top-up again only after a while."""
    later = update(AutoTopup).where(AutoTopup.user_id == user_id, AutoTopup.checkout_id.is_(None))
    await tx.execute(later.values(next_at=clock.now() + lasts))


async def finish(
    tx: Tx, user_id: str, checkout_id: str, amount_minor: int, ordered_at: datetime, *, paid: bool
) -> None:
    """Finish the current order as paid or failed, once, and allow the next one."""
    now, this = clock.now(), (AutoTopup.user_id == user_id, AutoTopup.checkout_id == checkout_id)
    same_month = AutoTopup.month == month_of(ordered_at)
    if paid:
        done = update(AutoTopup).where(*this).values(checkout_id=None, failures=0, next_at=now)
        if (await tx.execute(done.returning(AutoTopup.user_id))).first() is None:  # it was recorded as failed before
            late = update(AutoTopup).where(AutoTopup.user_id == user_id, same_month)
            await tx.execute(late.values(spent_minor=AutoTopup.spent_minor + amount_minor))
        return
    pauses = [(AutoTopup.failures == number, now + pause) for number, pause in enumerate(PAUSES)]
    failed = (
        update(AutoTopup)
        .where(*this)
        .values(
            checkout_id=None,
            spent_minor=case((same_month, AutoTopup.spent_minor - amount_minor), else_=AutoTopup.spent_minor),
            failures=AutoTopup.failures + 1,
            next_at=case(*pauses, else_=now + PAUSES[-1]),
        )
        .returning(AutoTopup.failures)
    )
    failures = (await tx.execute(failed)).scalar_one_or_none()
    if failures is not None and failures >= len(PAUSES):
        await disable_after_failures(tx, user_id, "declined")


async def disable_after_failures(tx: Tx, user_id: str, reason: str) -> None:
    """Disable the top-up after failed charges and notify the customer, once."""
    stopped = update(AutoTopup).where(AutoTopup.user_id == user_id, AutoTopup.enabled)
    stopped = stopped.values(enabled=False, stopped=reason, updated_at=clock.now())
    if (await tx.execute(stopped.returning(AutoTopup.user_id))).first() is not None:
        await auth.notify_user(tx, user_id, "auto_topup_stopped")


def month_of(moment: datetime) -> str:
    """The calendar month (UTC) of a cap."""
    return f"{moment:%Y-%m}"
