"""Queries and CSV of the table of payments and the monthly statement."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal

from sqlalchemy import func, select

from hortus import auth, invoicing, ledger, quotas
from hortus.auth import NamedKey
from hortus.billing.tables import Dispute, Payment, Refund
from hortus.core import clock
from hortus.core.clock import iso
from hortus.core.db import Tx
from hortus.core.errors import Invalid
from hortus.core.money import minor_digits
from hortus.invoicing import Invoice
from hortus.ledger import LedgerChange
from hortus.quotas import KeyUsage

MAX_ROWS = 10_000
"""The most rows of one table."""


def span_of(first: date, months: int, zone: tzinfo) -> tuple[datetime, datetime]:
    """Start and end of `months` calendar months from `first` on."""
    start = datetime.combine(first, time(), zone)
    return start.astimezone(UTC), clock.add_months(start, months).astimezone(UTC)


def month_named(text: str) -> date:
    """`2026-11` -> its first day. Raises Invalid."""
    try:
        return date(int(text[:4]), int(text[5:7]), 1)
    except ValueError:
        detail = "`month` must be a month such as 2026-11."
        raise Invalid(detail, errors=[{"field": "month", "detail": "no month"}]) from None


# The table of payments -------------------------------------------------------


PAYMENT_COLUMNS = (
    "paid_at", "payment_id", "invoice", "kind", "title", "gateway", "external_id", "method", "currency", "amount",
    "tax", "refunded", "disputed",
)  # fmt: skip


async def payment_rows(tx: Tx, user_id: str, start: datetime, end: datetime) -> list[list[str]]:
    """The payments of a user from `start` until before `end`, oldest first; amounts as exact decimal numbers."""
    query = (
        select(Payment, Invoice.number, Invoice.tax_minor)
        .outerjoin(Invoice, (Invoice.payment_id == Payment.id) & (Invoice.kind == "invoice"))
        .where(Payment.user_id == user_id, Payment.paid_at >= start, Payment.paid_at < end)
        .order_by(Payment.paid_at, Payment.id)
        .limit(MAX_ROWS)
    )
    return [
        [
            iso(paid.paid_at),
            paid.id,
            number or "",
            paid.kind,
            paid.title,
            paid.gateway,
            paid.external_id,
            paid.method or "",
            paid.currency,
            *(decimal(amount or 0, paid.currency) for amount in _amounts(paid, tax)),
        ]
        for paid, number, tax in (await tx.execute(query)).all()
    ]


def _amounts(paid: Payment, tax: int | None) -> tuple[int | None, ...]:
    return paid.amount_minor, tax, paid.refunded_minor, paid.disputed_minor


def decimal(amount_minor: int, currency: str) -> str:
    """`118000`, `INR` -> `1180.00`."""
    return format(Decimal(amount_minor).scaleb(-minor_digits(currency)), "f")


def to_csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table as CSV text. Cells that a spreadsheet would evaluate as a formula are escaped."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return out.getvalue()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.lstrip()[:1] in ("=", "+", "-", "@") or cell[:1] in ("\t", "\r") else cell


# The monthly statement -------------------------------------------------------


@dataclass(slots=True)
class Money:
    """Payments, refunds with disputes, and taxes in one currency, in minor units."""

    paid: int = 0
    returned: int = 0
    tax: int = 0


@dataclass(frozen=True, slots=True)
class Month:
    """The statement of one calendar month."""

    start: datetime
    end: datetime
    money: dict[str, Money]
    invoices: list[Invoice]
    credits: list[LedgerChange]
    keys: list[tuple[NamedKey, KeyUsage]] = field(default_factory=list)


async def month_of(tx: Tx, user_id: str, first: date, zone: tzinfo) -> Month:
    """The calendar month that begins on `first`, in `zone`."""
    start, end = span_of(first, 1, zone)
    money: dict[str, Money] = {}
    paid = (
        select(Payment.currency, func.sum(Payment.amount_minor))
        .where(Payment.user_id == user_id, Payment.paid_at >= start, Payment.paid_at < end)
        .group_by(Payment.currency)
    )
    for currency, amount in (await tx.execute(paid)).all():
        money.setdefault(currency, Money()).paid = int(amount)
    for table, moment, more in (
        (Refund, Refund.refunded_at, ()),
        (Dispute, Dispute.opened_at, (Dispute.status != "won",)),
    ):
        back = (
            select(Payment.currency, func.sum(table.amount_minor))
            .join(table, table.payment_id == Payment.id)
            .where(Payment.user_id == user_id, moment >= start, moment < end, *more)
            .group_by(Payment.currency)
        )
        for currency, amount in (await tx.execute(back)).all():
            money.setdefault(currency, Money()).returned += int(amount)
    invoices = await invoicing.invoices_between(tx, user_id, start, end, MAX_ROWS)
    for invoice in invoices:
        sign = 1 if invoice.kind == "invoice" else -1
        money.setdefault(invoice.currency, Money()).tax += sign * invoice.tax_minor
    moved = await ledger.changes_by_kind(tx, user_id, start, end)
    named = await auth.keys_since(tx, user_id, start)
    spent = await quotas.month_of_keys(tx, [key.id for key in named], first)
    return Month(start, end, money, invoices, moved, [(key, spent[key.id]) for key in named])


STATEMENT_COLUMNS = ("section", "id", "name", "when", "count", "currency", "amount", "tax")


def statement_rows(month: Month) -> Iterable[list[str]]:
    """The month as a table; `section` is the kind of row. Credits are in micro-credits."""
    for currency, money in sorted(month.money.items()):
        yield ["paid", "", "", "", "", currency, decimal(money.paid, currency), decimal(money.tax, currency)]
        yield ["returned", "", "", "", "", currency, decimal(money.returned, currency), ""]
    for row in month.invoices:
        amounts = [decimal(amount, row.currency) for amount in (row.total_minor, row.tax_minor)]
        yield [row.kind, row.id, row.number, iso(row.issued_at), "1", row.currency, *amounts]
    for line in month.credits:
        yield ["credits", "", line.kind, "", str(line.count), "micro-credits", str(line.amount), ""]
    for key, spent in month.keys:
        yield ["key", key.id, key.name, "", str(spent.accepted), "micro-credits", str(spent.credits), ""]
