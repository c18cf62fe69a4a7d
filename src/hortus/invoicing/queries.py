"""Queries for invoices and credit notes."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from hortus.core.db import Tx
from hortus.core.db.paging import Page, PageRequest, newest
from hortus.invoicing.errors import InvoiceNotFound
from hortus.invoicing.tables import Invoice


async def invoices_of(tx: Tx, user_id: str, paging: PageRequest) -> Page[Any]:
    """The invoices and credit notes of a user, newest first."""
    return await newest(tx, select(Invoice).where(Invoice.user_id == user_id), paging, Invoice.id)


async def invoice_of(tx: Tx, user_id: str, invoice_id: str) -> Invoice:
    """One invoice or credit note of this user. Raises InvoiceNotFound."""
    query = select(Invoice).where(Invoice.id == invoice_id, Invoice.user_id == user_id)
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        raise InvoiceNotFound
    return found


async def invoices_of_payment(tx: Tx, payment_id: str) -> list[Invoice]:
    """The invoice and the credit notes of a payment, oldest first."""
    query = select(Invoice).where(Invoice.payment_id == payment_id).order_by(Invoice.id)
    return list((await tx.execute(query)).scalars())


async def invoices_between(tx: Tx, user_id: str, start: datetime, end: datetime, limit: int) -> list[Invoice]:
    """The invoices and credit notes issued to a user from `start` until before `end`, oldest first."""
    query = select(Invoice).where(Invoice.user_id == user_id, Invoice.issued_at >= start, Invoice.issued_at < end)
    return list((await tx.execute(query.order_by(Invoice.issued_at, Invoice.id).limit(limit))).scalars())
