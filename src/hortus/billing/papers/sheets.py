"""What bookkeepers want: a table of payments, and a month on one page."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal

from sqlalchemy import func, select

from hortus import auth, ledger, quotas
from hortus.auth import NamedKey
from hortus.billing.papers.tables import Invoice
from hortus.billing.tables import Dispute, Payment, Refund
from hortus.core import clock
from hortus.core.clock import iso
from hortus.core.db import Tx
from hortus.core.errors import Invalid
from hortus.core.money import minor_digits
from hortus.ledger import Moved
from hortus.quotas import KeyUsage

MOST = 10_000
"""Rows of one table."""


def span_of(first: date, months: int, zone: tzinfo) -> tuple[datetime, datetime]:
    """The moments between which so many calendar months lie, from `first` on."""
    start = datetime.combine(first, time(), zone)
    return start.astimezone(UTC), clock.months_later(start, months).astimezone(UTC)


def month_named(text: str) -> date:
    """`2026-11` -> its first day. Raises Invalid."""
    try:
        return date(int(text[:4]), int(text[5:7]), 1)
    except ValueError:
        detail = "`month` is no month such as 2026-11."
        raise Invalid(detail, errors=[{"field": "month", "detail": "no month"}]) from None


# The table of payments -------------------------------------------------------


PAYMENT_COLUMNS = (
    "paid_at", "payment_id", "invoice", "kind", "title", "gateway", "vendor_id", "method", "currency", "amount",
    "tax", "refunded", "disputed",
)  # fmt: skip


async def payment_rows(tx: Tx, user_id: str, start: datetime, end: datetime) -> list[list[str]]:
    """The payments of a user in a time, oldest first; amounts as decimal numbers, exact to the minor unit."""
    query = (
        select(Payment, Invoice.number, Invoice.tax_minor)
        .outerjoin(Invoice, (Invoice.payment_id == Payment.id) & (Invoice.kind == "invoice"))
        .where(Payment.user_id == user_id, Payment.paid_at >= start, Payment.paid_at < end)
        .order_by(Payment.paid_at, Payment.id)
        .limit(MOST)
    )
    return [
        [
            iso(paid.paid_at),
            paid.id,
            number or "",
            paid.kind,
            paid.title,
            paid.gateway,
            paid.vendor_id,
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
    """A table as text. What a spreadsheet would take for a formula is text there too."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return out.getvalue()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.lstrip()[:1] in ("=", "+", "-", "@") or cell[:1] in ("\t", "\r") else cell


# The month on one page -------------------------------------------------------


@dataclass(slots=True)
class Money:
    """What came and went in one currency."""

    paid: int = 0
    returned: int = 0
    tax: int = 0


@dataclass(frozen=True, slots=True)
class Month:
    """All that a month was for a customer."""

    start: datetime
    end: datetime
    money: dict[str, Money]
    papers: list[Invoice]
    credits: list[Moved]
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
    given = select(Invoice).where(Invoice.user_id == user_id, Invoice.issued_at >= start, Invoice.issued_at < end)
    papers = list((await tx.execute(given.order_by(Invoice.issued_at, Invoice.id).limit(MOST))).scalars())
    for paper in papers:
        sign = 1 if paper.kind == "invoice" else -1
        money.setdefault(paper.currency, Money()).tax += sign * paper.tax_minor
    moved = await ledger.moved(tx, user_id, start, end)
    named = await auth.keys_since(tx, user_id, start)
    spent = await quotas.month_of_keys(tx, [key.id for key in named], first)
    return Month(start, end, money, papers, moved, [(key, spent[key.id]) for key in named])


STATEMENT_COLUMNS = ("section", "id", "name", "when", "count", "currency", "amount", "tax")


def statement_rows(month: Month) -> Iterable[list[str]]:
    """The month as a table; `section` says what a row is about. Credits are in micro-credits."""
    for currency, money in sorted(month.money.items()):
        yield ["paid", "", "", "", "", currency, decimal(money.paid, currency), decimal(money.tax, currency)]
        yield ["returned", "", "", "", "", currency, decimal(money.returned, currency), ""]
    for paper in month.papers:
        amounts = [decimal(amount, paper.currency) for amount in (paper.total_minor, paper.tax_minor)]
        yield [paper.kind, paper.id, paper.number, iso(paper.issued_at), "1", paper.currency, *amounts]
    for line in month.credits:
        yield ["credits", "", line.kind, "", str(line.count), "micro-credits", str(line.amount), ""]
    for key, spent in month.keys:
        yield ["key", key.id, key.name, "", str(spent.accepted), "micro-credits", str(spent.credits), ""]
