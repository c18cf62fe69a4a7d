"""Revenue by month, gateway and currency, in minor units."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from hortus.billing.price_list.prices import MONTHS
from hortus.billing.tables import Dispute, Payment, Refund, Subscription
from hortus.core.db import Tx


@dataclass(slots=True)
class Revenue:
    """One month at one gateway in one currency.

    `mrr` is the monthly recurring revenue at the end of the month; yearly prices count as a twelfth.
    """

    payments: int = 0
    paid: int = 0
    refunded: int = 0
    disputed: int = 0
    mrr: int = 0
    new: int = 0
    churned: int = 0


async def revenue(tx: Tx, start: datetime, end: datetime) -> dict[tuple[str, str], Revenue]:
    """Revenue from `start` until before `end`, by (gateway, currency)."""
    found: dict[tuple[str, str], Revenue] = {}

    async def gather(query: Any, *names: str) -> None:
        for gateway, currency, *numbers in (await tx.execute(query)).all():
            row = found.setdefault((gateway, currency), Revenue())
            for name, number in zip(names, numbers, strict=True):
                setattr(row, name, int(number or 0))

    await gather(_paid(start, end), "payments", "paid")
    await gather(_returned(Refund, Refund.refunded_at, start, end), "refunded")
    await gather(_returned(Dispute, Dispute.opened_at, start, end, (Dispute.status != "won",)), "disputed")
    await gather(_subscriptions(Subscription.created_at, start, end), "new")
    await gather(_subscriptions(Subscription.ended_at, start, end), "churned")
    for gateway, currency, interval, amount in (await tx.execute(_running(end))).all():
        found.setdefault((gateway, currency), Revenue()).mrr += int(amount) // MONTHS.get(interval, 1)
    return found


def _paid(start: datetime, end: datetime) -> Any:
    within = (Payment.paid_at >= start, Payment.paid_at < end)
    query = select(Payment.gateway, Payment.currency, func.count(), func.sum(Payment.amount_minor)).where(*within)
    return query.group_by(Payment.gateway, Payment.currency)


def _returned(table: Any, moment: Any, start: datetime, end: datetime, more: Sequence[Any] = ()) -> Any:
    query = select(Payment.gateway, Payment.currency, func.sum(table.amount_minor)).select_from(table)
    query = query.join(Payment, Payment.id == table.payment_id).where(moment >= start, moment < end, *more)
    return query.group_by(Payment.gateway, Payment.currency)


def _subscriptions(moment: Any, start: datetime, end: datetime) -> Any:
    wanted = (moment >= start, moment < end, Subscription.status != "duplicate")
    query = select(Subscription.gateway, Subscription.currency, func.count()).where(*wanted)
    return query.group_by(Subscription.gateway, Subscription.currency)


def _running(at: datetime) -> Any:
    """Paid periods that contain the moment before `at`, net of refunds, of subscriptions that have not ended."""
    amount = func.sum(Payment.amount_minor - Payment.refunded_minor - Payment.disputed_minor)
    ended = (Subscription.ended_at.is_(None)) | (Subscription.ended_at >= at)
    covers = (Payment.kind == "subscription", Payment.period_end >= at, Payment.period_start < at, ended)
    back = Payment.refunded_minor + Payment.disputed_minor < Payment.amount_minor
    query = select(Payment.gateway, Payment.currency, Payment.interval, amount).where(*covers, back)
    query = query.join(Subscription, Subscription.id == Payment.subscription_id)
    return query.group_by(Payment.gateway, Payment.currency, Payment.interval)
