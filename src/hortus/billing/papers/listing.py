"""Find papers."""

from typing import Any

from sqlalchemy import select

from hortus.billing.papers.errors import InvoiceNotFound
from hortus.billing.papers.tables import Invoice
from hortus.core.db import Tx
from hortus.core.db.paging import Page, Paging, newest


async def invoices_of(tx: Tx, user_id: str, paging: Paging) -> Page[Any]:
    """The papers of a user, newest first."""
    return await newest(tx, select(Invoice).where(Invoice.user_id == user_id), paging, Invoice.id)


async def invoice_of(tx: Tx, user_id: str, invoice_id: str) -> Invoice:
    """A paper of this user. Raises InvoiceNotFound."""
    query = select(Invoice).where(Invoice.id == invoice_id, Invoice.user_id == user_id)
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        raise InvoiceNotFound
    return found
