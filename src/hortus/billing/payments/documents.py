"""Invoices and credit notes of payments: the booking enqueues a task, which issues the document.

A document that cannot be issued is retried and at last dead-lettered; the booking of payments, refunds and disputes
never waits for it.
"""

from typing import Literal

from sqlalchemy import select

from hortus import invoicing, tasks
from hortus.billing.tables import Dispute, Payment, Refund
from hortus.core.db import Database, Tx
from hortus.core.resources import Resources
from hortus.invoicing import Reversal, Sale
from hortus.payments import SANDBOX

Source = Literal["payment", "refund", "dispute"]
"""What a document is about: a payment has an invoice; a refund and a lost dispute have a credit note."""


async def request_invoice(tx: Tx, payment_id: str) -> None:
    """Enqueue the invoice of a payment."""
    await _request(tx, "payment", payment_id)


async def request_refund_note(tx: Tx, refund_id: str) -> None:
    """Enqueue the credit note of a refund."""
    await _request(tx, "refund", refund_id)


async def request_dispute_note(tx: Tx, dispute_id: str) -> None:
    """Enqueue the credit note of a lost dispute."""
    await _request(tx, "dispute", dispute_id)


async def _request(tx: Tx, source: Source, row_id: str) -> None:
    await tasks.enqueue(tx, ISSUE, {"source": source, "id": row_id}, key=f"document:{row_id}")


async def issue(tx: Tx, source: Source, row_id: str) -> None:
    """Issue the document of a payment, refund or lost dispute, once. An unmatched payment gets no document."""
    if source == "payment":
        sale = await _locked_sale(tx, row_id)
        if sale is not None:
            await invoicing.issue_invoice(tx, sale)
        return
    table = Refund if source == "refund" else Dispute
    row = (await tx.execute(select(table.payment_id, table.amount_minor).where(table.id == row_id))).one()
    sale = await _locked_sale(tx, row.payment_id)
    if sale is not None:
        await invoicing.issue_credit_note(tx, sale, Reversal(source, row_id, row.amount_minor))


async def _issue(resources: Resources, task: tasks.ClaimedTask) -> None:
    async with resources[Database].transaction() as tx:
        await issue(tx, task.payload["source"], task.payload["id"])


ISSUE = tasks.register("billing.document", _issue, attempts=20, backoff=5, longest_backoff=3600)


async def _locked_sale(tx: Tx, payment_id: str) -> Sale | None:
    """The sale behind a payment; None for an unmatched one. The lock orders the documents of one payment."""
    query = select(Payment).where(Payment.id == payment_id).with_for_update()
    payment = (await tx.execute(query.execution_options(populate_existing=True))).scalar_one()
    if payment.kind == "unmatched":
        return None
    return Sale(
        payment.id,
        payment.owner,
        payment.title,
        payment.amount_minor,
        payment.currency,
        payment.period_start,
        payment.period_end,
        sandbox=payment.gateway == SANDBOX,
    )
