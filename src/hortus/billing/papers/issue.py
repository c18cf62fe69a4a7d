"""Issue invoices and credit notes: numbers without a gap, snapshots that never change.

The transaction that books money only enqueues one task per document. A document that cannot be issued is retried and
at last dead-lettered; the booking of payments, refunds and disputes never waits for it.
"""

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import insert, select

from hortus import accounts, tasks
from hortus.billing.papers.settings import InvoiceSettings
from hortus.billing.papers.states import name_of
from hortus.billing.papers.tables import BillingDetails, Invoice, InvoiceSeries
from hortus.billing.papers.taxes import credited, treat
from hortus.billing.tables import Dispute, Payment, Refund
from hortus.core import clock, ids
from hortus.core.db import Database, Tx
from hortus.core.money import points_to_percent
from hortus.core.resources import Resources
from hortus.payments import PLAY

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
    """Issue the document about a payment, refund or lost dispute, once; nothing where none is due.

    A credit note issues the invoice that it corrects first, should that one still be missing.
    """
    settings = tx.settings(InvoiceSettings)
    if source == "payment":
        await _invoice(tx, settings, await _locked_payment(tx, row_id))
        return
    reversal: Refund | Dispute
    if source == "refund":
        reversal = (await tx.execute(select(Refund).where(Refund.id == row_id))).scalar_one()
    else:
        reversal = (await tx.execute(select(Dispute).where(Dispute.id == row_id))).scalar_one()
    await _credit_note(tx, settings, await _locked_payment(tx, reversal.payment_id), reversal)


async def _issue(resources: Resources, task: tasks.Claimed) -> None:
    async with resources.get(Database).transaction() as tx:
        await issue(tx, task.payload["source"], task.payload["id"])


ISSUE = tasks.define("billing.document", _issue, attempts=20, backoff=5, longest_backoff=3600)


async def _locked_payment(tx: Tx, payment_id: str) -> Payment:
    """The payment, locked: its documents are issued one after another."""
    query = select(Payment).where(Payment.id == payment_id).with_for_update()
    return (await tx.execute(query.execution_options(populate_existing=True))).scalar_one()


async def _invoice(tx: Tx, settings: InvoiceSettings, payment: Payment) -> Invoice | None:
    """The invoice of a payment, issued now if it is missing; None when nothing was supplied for it."""
    query = select(Invoice).where(Invoice.payment_id == payment.id, Invoice.kind == "invoice")
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is not None or payment.kind == "unmatched" or payment.amount_minor <= 0:
        return found
    buyer = await buyer_of(tx, payment.owner)
    treatment = treat(settings, buyer, payment.currency)
    taxes = treatment.lines(payment.amount_minor)
    row = _amounts(payment.amount_minor, taxes) | {
        "kind": "invoice",
        "payment_id": payment.id,
        "treatment": treatment.name,
        "notes": list(treatment.notes),
        "seller": settings.seller(),
        "buyer": _shown(buyer),
        "lines": [_line(payment, settings, payment.amount_minor - sum(tax["amount_minor"] for tax in taxes))],
    }
    await _write(tx, settings, payment, row)
    return (await tx.execute(query)).scalar_one()


async def _credit_note(tx: Tx, settings: InvoiceSettings, payment: Payment, reversal: Refund | Dispute) -> None:
    own = Invoice.refund_id if isinstance(reversal, Refund) else Invoice.dispute_id
    if (await tx.execute(select(Invoice.id).where(own == reversal.id))).first() is not None:
        return
    invoice = await _invoice(tx, settings, payment)
    if invoice is None:
        return
    earlier = (await tx.execute(select(Invoice).where(Invoice.corrects_id == invoice.id))).scalars().all()
    left = invoice.total_minor - sum(note.total_minor for note in earlier)
    amount = min(reversal.amount_minor, left)
    if amount <= 0:
        return  # a dispute over what was refunded already
    taxes = credited(amount, left, invoice.taxes, [note.taxes for note in earlier])
    why = "Refund" if isinstance(reversal, Refund) else "Payment taken back by the buyer's bank"
    first = invoice.lines[0]
    line = first | {"net_minor": amount - sum(tax["amount_minor"] for tax in taxes)}
    row = _amounts(amount, taxes) | {
        "kind": "credit_note",
        "payment_id": payment.id,
        "refund_id": reversal.id if isinstance(reversal, Refund) else None,
        "dispute_id": reversal.id if isinstance(reversal, Dispute) else None,
        "corrects_id": invoice.id,
        "treatment": invoice.treatment,
        "notes": [f"{why}. Corrects invoice {invoice.number} of {invoice.issued_on.isoformat()}.", *invoice.notes],
        "seller": invoice.seller,
        "buyer": invoice.buyer,
        "lines": [line],
    }
    await _write(tx, settings, payment, row)


def _amounts(total: int, taxes: list[dict[str, Any]]) -> dict[str, Any]:
    tax = sum(line["amount_minor"] for line in taxes)
    shown = [line | {"rate": points_to_percent(line["rate_points"]), "base_minor": total - tax} for line in taxes]
    return {"total_minor": total, "tax_minor": tax, "net_minor": total - tax, "taxes": shown}


def _line(payment: Payment, settings: InvoiceSettings, net: int) -> dict[str, Any]:
    def day(moment: datetime | None) -> str | None:
        return moment.astimezone(settings.zone).date().isoformat() if moment is not None else None

    return {
        "title": payment.title,
        "period_start": day(payment.period_start),
        "period_end": day(payment.period_end),
        "tax_code": settings.invoice_tax_code if settings.invoice_seller_gstin else None,
        "quantity": 1,
        "net_minor": net,
    }


async def _write(tx: Tx, settings: InvoiceSettings, payment: Payment, row: dict[str, Any]) -> None:
    now = clock.now()
    day = now.astimezone(settings.zone).date()
    play = payment.gateway == PLAY
    prefix = settings.invoice_prefix if row["kind"] == "invoice" else settings.invoice_credit_prefix
    series = f"{'PLAY-' if play else ''}{prefix}-{settings.year_of(day)}"
    position = await next_in(tx, series)
    head = {
        "id": ids.new(),
        "user_id": payment.user_id,
        "series": series,
        "position": position,
        "number": f"{series}-{position:06d}",
        "play": play,
        "currency": payment.currency,
        "issued_on": day,
        "issued_at": now,
        "refund_id": None,
        "dispute_id": None,
        "corrects_id": None,
    }
    await tx.execute(insert(Invoice).values(**head | row))


async def next_in(tx: Tx, series: str) -> int:
    """The next number of a series: one statement, whose effect commits or rolls back with the paper that bears it."""
    first = tx.insert(InvoiceSeries).values(series=series, last=1)
    taken = first.on_conflict_do_update(index_elements=["series"], set_={"last": InvoiceSeries.last + 1})
    return int((await tx.execute(taken.returning(InvoiceSeries.last))).scalar_one())


async def buyer_of(tx: Tx, user_id: str) -> dict[str, str]:
    """The buyer as taxes see them: their own details, otherwise the name and address of their account."""
    person = await accounts.profile_of(tx, user_id)
    found = await tx.execute(select(BillingDetails).where(BillingDetails.user_id == user_id))
    details = found.scalar_one_or_none()
    own: tuple[str, str, str, str, str | None, str | None] = (person.name or "", "", "", "", None, None)
    if details is not None:
        own = (details.name, details.address, details.country, details.state, details.gstin, details.vat_id)
    name, address, country, state, gstin, vat_id = own
    return {
        "name": name,
        "address": address,
        "country": country,
        "state": state,
        "gstin": gstin or "",
        "vat_id": vat_id or "",
        "email": person.email or "",
    }


def _shown(buyer: dict[str, str]) -> dict[str, str]:
    known = buyer["country"] == "IN" and buyer["state"].isdigit()
    return buyer | {"state": f"{name_of(buyer['state'])} ({buyer['state']})" if known else buyer["state"]}
