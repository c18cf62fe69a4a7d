"""Issue invoices and credit notes: each is a snapshot that never changes, with the next number of its series.

A document is issued once per payment, refund or lost dispute. The caller passes plain values and holds a lock on the
payment, so the documents of one payment are issued one after another.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import insert, select

from hortus import accounts
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.core.money import points_to_percent
from hortus.invoicing.series import next_in
from hortus.invoicing.settings import InvoiceSettings
from hortus.invoicing.states import name_of
from hortus.invoicing.tables import BillingDetails, Invoice
from hortus.invoicing.taxes import credited, treat

_REASONS = {"refund": "Refund", "dispute": "Payment taken back by the buyer's bank"}


@dataclass(frozen=True, slots=True)
class Sale:
    """A payment as its invoice shows it. `amount_minor` includes all taxes; `sandbox` marks money that is not real."""

    payment_id: str
    user_id: str
    title: str
    amount_minor: int
    currency: str
    period_start: datetime | None
    period_end: datetime | None
    sandbox: bool


@dataclass(frozen=True, slots=True)
class Reversal:
    """A refund or a lost dispute of a sale, which a credit note documents."""

    kind: Literal["refund", "dispute"]
    id: str
    amount_minor: int


async def issue_invoice(tx: Tx, sale: Sale) -> Invoice | None:
    """Issue the invoice of a sale, once; return it. None when the sale cost nothing."""
    query = select(Invoice).where(Invoice.payment_id == sale.payment_id, Invoice.kind == "invoice")
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is not None or sale.amount_minor <= 0:
        return found
    settings = tx.settings(InvoiceSettings)
    buyer = await _buyer_of(tx, sale.user_id)
    treatment = treat(settings, buyer, sale.currency)
    taxes = treatment.lines(sale.amount_minor)
    row = _amounts(sale.amount_minor, taxes) | {
        "kind": "invoice",
        "treatment": treatment.name,
        "notes": list(treatment.notes),
        "seller": settings.seller(),
        "buyer": _shown(buyer),
        "lines": [_line(sale, settings, sale.amount_minor - sum(tax["amount_minor"] for tax in taxes))],
    }
    await _write(tx, settings, sale, row)
    return (await tx.execute(query)).scalar_one()


async def issue_credit_note(tx: Tx, sale: Sale, reversal: Reversal) -> None:
    """Issue the credit note of a reversal, once; the invoice that it corrects is issued first if it is missing.

    All credit notes of an invoice together never exceed it: a dispute over money that was refunded gets none.
    """
    own = Invoice.refund_id if reversal.kind == "refund" else Invoice.dispute_id
    if (await tx.execute(select(Invoice.id).where(own == reversal.id))).first() is not None:
        return
    invoice = await issue_invoice(tx, sale)
    if invoice is None:
        return
    earlier = (await tx.execute(select(Invoice).where(Invoice.corrects_id == invoice.id))).scalars().all()
    left = invoice.total_minor - sum(note.total_minor for note in earlier)
    amount = min(reversal.amount_minor, left)
    if amount <= 0:
        return
    taxes = credited(amount, left, invoice.taxes, [note.taxes for note in earlier])
    correction = f"Corrects invoice {invoice.number} of {invoice.issued_on.isoformat()}."
    line = invoice.lines[0] | {"net_minor": amount - sum(tax["amount_minor"] for tax in taxes)}
    row = _amounts(amount, taxes) | {
        "kind": "credit_note",
        f"{reversal.kind}_id": reversal.id,
        "corrects_id": invoice.id,
        "treatment": invoice.treatment,
        "notes": [f"{_REASONS[reversal.kind]}. {correction}", *invoice.notes],
        "seller": invoice.seller,
        "buyer": invoice.buyer,
        "lines": [line],
    }
    await _write(tx, tx.settings(InvoiceSettings), sale, row)


def _amounts(total: int, taxes: list[dict[str, Any]]) -> dict[str, Any]:
    tax = sum(line["amount_minor"] for line in taxes)
    shown = [line | {"rate": points_to_percent(line["rate_points"]), "base_minor": total - tax} for line in taxes]
    return {"total_minor": total, "tax_minor": tax, "net_minor": total - tax, "taxes": shown}


def _line(sale: Sale, settings: InvoiceSettings, net: int) -> dict[str, Any]:
    def day(moment: datetime | None) -> str | None:
        return moment.astimezone(settings.zone).date().isoformat() if moment is not None else None

    return {
        "title": sale.title,
        "period_start": day(sale.period_start),
        "period_end": day(sale.period_end),
        "tax_code": settings.invoice_tax_code if settings.invoice_seller_gstin else None,
        "quantity": 1,
        "net_minor": net,
    }


async def _write(tx: Tx, settings: InvoiceSettings, sale: Sale, row: dict[str, Any]) -> None:
    now = clock.now()
    day = now.astimezone(settings.zone).date()
    prefix = settings.invoice_prefix if row["kind"] == "invoice" else settings.invoice_credit_prefix
    series = f"{'TEST-' if sale.sandbox else ''}{prefix}-{settings.year_of(day)}"
    position = await next_in(tx, series)
    head = {
        "id": ids.new(),
        "user_id": sale.user_id,
        "payment_id": sale.payment_id,
        "series": series,
        "position": position,
        "number": f"{series}-{position:06d}",
        "sandbox": sale.sandbox,
        "currency": sale.currency,
        "issued_on": day,
        "issued_at": now,
        "refund_id": None,
        "dispute_id": None,
        "corrects_id": None,
    }
    await tx.execute(insert(Invoice).values(**head | row))


async def _buyer_of(tx: Tx, user_id: str) -> dict[str, str]:
    """The buyer for taxes and documents: the billing details, otherwise the name and address of the account."""
    account = await accounts.profile_of(tx, user_id)
    found = await tx.execute(select(BillingDetails).where(BillingDetails.user_id == user_id))
    details = found.scalar_one_or_none()
    own: tuple[str, str, str, str, str | None, str | None] = (account.name or "", "", "", "", None, None)
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
        "email": account.email or "",
    }


def _shown(buyer: dict[str, str]) -> dict[str, str]:
    known = buyer["country"] == "IN" and buyer["state"].isdigit()
    return buyer | {"state": f"{name_of(buyer['state'])} ({buyer['state']})" if known else buyer["state"]}
