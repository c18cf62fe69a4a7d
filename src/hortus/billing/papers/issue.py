"""Give papers out, in the transaction that books the money: numbers without a gap, snapshots without a change.

What is to be written is noted while facts are booked and written at their end, because a series is a row that
everybody wants: its lock is taken last and held for as short as can be.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select

from hortus import accounts
from hortus.billing.papers.settings import InvoiceSettings
from hortus.billing.papers.states import name_of
from hortus.billing.papers.tables import BillingDetails, Invoice, InvoiceSeries
from hortus.billing.papers.taxes import tax_lines, treat
from hortus.billing.tables import Dispute, Payment, Refund
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.core.money import points_to_percent
from hortus.payments import PLAY

_NOTED = "papers"


async def note_payment(tx: Tx, payment_id: str) -> None:
    """Remember that a payment needs its invoice."""
    tx.info.setdefault(_NOTED, []).append((Payment, payment_id))


async def note_refund(tx: Tx, refund_id: str) -> None:
    """Remember that a refund needs its credit note."""
    tx.info.setdefault(_NOTED, []).append((Refund, refund_id))


async def note_lost(tx: Tx, dispute_id: str) -> None:
    """Remember that a lost dispute needs its credit note."""
    tx.info.setdefault(_NOTED, []).append((Dispute, dispute_id))


async def issue_noted(tx: Tx) -> None:
    """Write every paper that was noted in this transaction, in the order of the facts."""
    noted = tx.info.pop(_NOTED, [])
    if not noted:
        return
    settings = InvoiceSettings()
    for kind, row_id in noted:
        row = (await tx.execute(select(kind).where(kind.id == row_id))).scalar_one()
        if kind is Payment:
            await _invoice(tx, settings, row)
        else:
            await _credit_note(tx, settings, row)


async def _invoice(tx: Tx, settings: InvoiceSettings, payment: Payment) -> None:
    if payment.kind == "unexpected" or payment.amount_minor <= 0:
        return  # nothing was supplied for it
    buyer = await buyer_of(tx, payment.user_id)
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


async def _credit_note(tx: Tx, settings: InvoiceSettings, reversal: Refund | Dispute) -> None:
    found = select(Invoice).where(Invoice.payment_id == reversal.payment_id, Invoice.kind == "invoice")
    invoice = (await tx.execute(found)).scalar_one_or_none()
    if invoice is None:
        return
    payment = (await tx.execute(select(Payment).where(Payment.id == reversal.payment_id))).scalar_one()
    credited = select(func.coalesce(func.sum(Invoice.total_minor), 0)).where(Invoice.corrects_id == invoice.id)
    before = int((await tx.execute(credited)).scalar_one())
    amount = min(reversal.amount_minor, invoice.total_minor - before)
    if amount <= 0:
        return  # a dispute over what was refunded already
    rates = [(tax["name"], tax["rate_points"]) for tax in invoice.taxes]
    taxes = tax_lines(amount, rates, before)
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
