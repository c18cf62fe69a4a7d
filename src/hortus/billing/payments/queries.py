"""Queries for payments, of one customer and for administrators."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select

from hortus import invoicing
from hortus.billing.errors import PaymentNotFound
from hortus.billing.tables import Dispute, Payment, Refund
from hortus.core import ids
from hortus.core.db import Tx
from hortus.core.db.paging import Page, PageRequest, newest
from hortus.invoicing import Invoice

PaymentStatus = Literal["paid", "refunded", "partly_refunded", "disputed", "unmatched"]
_BY_STATUS: dict[str, tuple[Any, ...]] = {
    "paid": (Payment.kind != "unmatched", Payment.refunded_minor == 0, Payment.disputed_minor == 0),
    "refunded": (Payment.refunded_minor > 0, Payment.refunded_minor >= Payment.amount_minor),
    "partly_refunded": (Payment.refunded_minor > 0, Payment.refunded_minor < Payment.amount_minor),
    "disputed": (Payment.disputed_minor > 0,),
    "unmatched": (Payment.kind == "unmatched",),
}


async def find_payments(
    tx: Tx,
    paging: PageRequest,
    *,
    user_id: str | None = None,
    external_id: str | None = None,
    status: PaymentStatus | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Page[Any]:
    """Payments, newest first; `since` and `until` compare with the time of booking."""
    query = select(Payment).where(*_BY_STATUS.get(status or "", ()))
    if user_id is not None:
        query = query.where(Payment.user_id == user_id)
    if external_id is not None:
        query = query.where(Payment.external_id == external_id)
    if since is not None:
        query = query.where(Payment.id >= ids.lowest_at(since))
    if until is not None:
        query = query.where(Payment.id < ids.lowest_at(until))
    return await newest(tx, query, paging, Payment.id)


async def unmatched_payments(tx: Tx) -> int:
    """The number of unmatched payments that an administrator must assign or refund; counted up to 1,000."""
    waiting = select(Payment.id).where(Payment.kind == "unmatched")
    waiting = waiting.where(Payment.refunded_minor + Payment.disputed_minor < Payment.amount_minor).limit(1000)
    return int((await tx.execute(select(func.count()).select_from(waiting.subquery()))).scalar_one())


@dataclass(frozen=True, slots=True)
class PaymentDetails:
    """One payment with its refunds, disputes and invoices, oldest first."""

    payment: Payment
    refunds: list[Refund]
    disputes: list[Dispute]
    invoices: list[Invoice]


async def get_payment(tx: Tx, payment_id: str) -> PaymentDetails:
    """One payment of any user. Raises PaymentNotFound."""
    query = select(Payment).where(Payment.id == payment_id).execution_options(populate_existing=True)
    payment = (await tx.execute(query)).scalar_one_or_none()
    if payment is None:
        raise PaymentNotFound
    refunds = select(Refund).where(Refund.payment_id == payment_id).order_by(Refund.id)
    disputes = select(Dispute).where(Dispute.payment_id == payment_id).order_by(Dispute.id)
    return PaymentDetails(
        payment,
        list((await tx.execute(refunds)).scalars()),
        list((await tx.execute(disputes)).scalars()),
        await invoicing.invoices_of_payment(tx, payment_id),
    )


async def payments_of(tx: Tx, user_id: str, paging: PageRequest) -> Page[Any]:
    """The payments of a user, newest first."""
    return await newest(tx, select(Payment).where(Payment.user_id == user_id), paging, Payment.id)
