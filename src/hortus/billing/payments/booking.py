"""Booking: record a payment once, grant its credits, request its invoice."""

from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import select

from hortus.billing import grants, referrals
from hortus.billing.payments.documents import request_invoice
from hortus.billing.signals import payment_received
from hortus.billing.tables import Payment
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.payments import (
    Paid,
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a payment bought; without `credits` it grants nothing."""

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


async def is_booked(tx: Tx, gateway: str, external_id: str) -> bool:
    query = select(Payment.id).where(Payment.gateway == gateway, Payment.external_id == external_id)
    return (await tx.execute(query)).first() is not None


async def book(tx: Tx, gateway: str, paid: Paid, bought: Purchase) -> bool:
    """Book a payment, its credits and its invoice, once; False when it is booked already."""
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
    await request_invoice(tx, payment_id)
    await referrals.on_payment_received(tx, payment_id)
    await payment_received.send(tx, payment_id)
    return True
