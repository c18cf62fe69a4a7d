"""Tables of invoices and credit notes, their number series, and billing details.

`user_id` is no foreign key: invoices are kept after an account is erased.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, append_only, id_type

SERIES = String(20).with_variant(String(20, collation="C"), "postgresql")
_INVOICE = text("kind = 'invoice'")


class BillingDetails(Base):
    """The buyer as future invoices show it."""

    __tablename__ = "billing_details"

    user_id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    address: Mapped[str] = mapped_column(String(500))
    country: Mapped[str] = mapped_column(String(2))
    state: Mapped[str] = mapped_column(String(80))
    """In India the code of the state."""
    gstin: Mapped[str | None] = mapped_column(String(15))
    vat_id: Mapped[str | None] = mapped_column(String(20))
    updated_at: Mapped[datetime]


class InvoiceSeries(Base):
    """The last number of a series. The lock on its row serializes numbering."""

    __tablename__ = "invoice_series"

    series: Mapped[str] = mapped_column(SERIES, primary_key=True)
    last: Mapped[int] = mapped_column(BigInteger)


class Invoice(Base):
    """An invoice or credit note as issued: an append-only snapshot, which both databases enforce.

    A credit note reverses `total_minor` of the invoice `corrects_id`; its amounts are positive too.
    """

    __tablename__ = "invoices"
    __table_args__ = (
        UniqueConstraint("series", "position"),
        UniqueConstraint("refund_id"),
        UniqueConstraint("dispute_id"),
        CheckConstraint("kind IN ('invoice', 'credit_note')", "kind_is_known"),
        CheckConstraint("net_minor + tax_minor = total_minor", "parts_fit"),
        CheckConstraint("net_minor >= 0 AND tax_minor >= 0 AND total_minor > 0", "amounts_positive"),
        CheckConstraint("(kind = 'credit_note') = (corrects_id IS NOT NULL)", "notes_correct"),
        Index("uq_invoices_of_payment", "payment_id", unique=True, postgresql_where=_INVOICE, sqlite_where=_INVOICE),
        Index(None, "user_id", "id"),
        Index(None, "user_id", "issued_at"),
        Index(None, "corrects_id"),
        Index(None, "payment_id"),
    )

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    user_id: Mapped[str] = mapped_column(id_type())
    kind: Mapped[str] = mapped_column(String(12))
    series: Mapped[str] = mapped_column(SERIES)
    position: Mapped[int] = mapped_column(BigInteger)
    number: Mapped[str] = mapped_column(String(40))
    sandbox: Mapped[bool]
    """Whether the payment was made in the sandbox: such documents have series of their own and are marked."""
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"))
    refund_id: Mapped[str | None] = mapped_column(ForeignKey("refunds.id"))
    dispute_id: Mapped[str | None] = mapped_column(ForeignKey("disputes.id"))
    corrects_id: Mapped[str | None] = mapped_column(ForeignKey("invoices.id"))
    currency: Mapped[str] = mapped_column(String(3))
    net_minor: Mapped[int] = mapped_column(BigInteger)
    tax_minor: Mapped[int] = mapped_column(BigInteger)
    total_minor: Mapped[int] = mapped_column(BigInteger)
    treatment: Mapped[str] = mapped_column(String(20))
    taxes: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    notes: Mapped[list[str]] = mapped_column(JSON)
    seller: Mapped[dict[str, str]] = mapped_column(JSON)
    buyer: Mapped[dict[str, str]] = mapped_column(JSON)
    issued_on: Mapped[date]
    issued_at: Mapped[datetime]


append_only(Invoice.__table__)  # type: ignore[arg-type]
