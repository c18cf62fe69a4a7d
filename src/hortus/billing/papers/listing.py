"""Find papers."""

from sqlalchemy import select

from hortus.billing.papers.errors import InvoiceNotFound
from hortus.billing.papers.tables import Invoice
from hortus.core.db import Tx
from hortus.core.paging import Paging, newest_first, page_of


async def invoices_of(tx: Tx, user_id: str, paging: Paging) -> tuple[list[Invoice], str | None]:
    """The papers of a user, newest first, and the cursor of the next page."""
    query = newest_first(select(Invoice).where(Invoice.user_id == user_id), paging, Invoice.id)
    return page_of((await tx.execute(query)).scalars().all(), paging, lambda row: (row.id,))


async def invoice_of(tx: Tx, user_id: str, invoice_id: str) -> Invoice:
    """A paper of this user. Raises InvoiceNotFound."""
    query = select(Invoice).where(Invoice.id == invoice_id, Invoice.user_id == user_id)
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        raise InvoiceNotFound
    return found
