"""Invoices and credit notes, their series, and who the buyer is."""

import sqlalchemy as sa
from alembic import op

import hortus.core.db

revision = "0016"
down_revision = "0015"

ID = sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql")
SERIES = sa.String(length=20).with_variant(sa.String(length=20, collation="C"), "postgresql")
MOMENT = hortus.core.db.Moment(timezone=True)
INVOICE = sa.text("kind = 'invoice'")


def upgrade() -> None:
    op.create_table(
        "billing_details",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("address", sa.String(length=500), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("state", sa.String(length=80), nullable=False),
        sa.Column("gstin", sa.String(length=15), nullable=True),
        sa.Column("vat_id", sa.String(length=20), nullable=True),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_billing_details")),
    )
    op.create_table(
        "invoice_series",
        sa.Column("series", SERIES, nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("series", name=op.f("pk_invoice_series")),
    )
    op.create_table(
        "invoices",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("series", SERIES, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("play", sa.Boolean(), nullable=False),
        sa.Column("payment_id", ID, nullable=False),
        sa.Column("refund_id", ID, nullable=True),
        sa.Column("dispute_id", ID, nullable=True),
        sa.Column("corrects_id", ID, nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("tax_minor", sa.BigInteger(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("treatment", sa.String(length=20), nullable=False),
        sa.Column("taxes", sa.JSON(), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("seller", sa.JSON(), nullable=False),
        sa.Column("buyer", sa.JSON(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("issued_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "(kind = 'credit_note') = (corrects_id IS NOT NULL)", name=op.f("ck_invoices_notes_correct")
        ),
        sa.CheckConstraint("kind IN ('invoice', 'credit_note')", name=op.f("ck_invoices_kind_is_known")),
        sa.CheckConstraint("net_minor + tax_minor = total_minor", name=op.f("ck_invoices_parts_fit")),
        sa.CheckConstraint(
            "net_minor >= 0 AND tax_minor >= 0 AND total_minor > 0", name=op.f("ck_invoices_amounts_positive")
        ),
        sa.ForeignKeyConstraint(["corrects_id"], ["invoices.id"], name=op.f("fk_invoices_corrects_id_invoices")),
        sa.ForeignKeyConstraint(["dispute_id"], ["disputes.id"], name=op.f("fk_invoices_dispute_id_disputes")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_invoices_payment_id_payments")),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_invoices_refund_id_refunds")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoices")),
        sa.UniqueConstraint("dispute_id", name=op.f("uq_invoices_dispute_id")),
        sa.UniqueConstraint("refund_id", name=op.f("uq_invoices_refund_id")),
        sa.UniqueConstraint("series", "position", name=op.f("uq_invoices_series_position")),
    )
    op.create_index(op.f("ix_invoices_corrects_id"), "invoices", ["corrects_id"], unique=False)
    op.create_index(op.f("ix_invoices_payment_id"), "invoices", ["payment_id"], unique=False)
    op.create_index(op.f("ix_invoices_user_id_id"), "invoices", ["user_id", "id"], unique=False)
    op.create_index(op.f("ix_invoices_user_id_issued_at"), "invoices", ["user_id", "issued_at"], unique=False)
    op.create_index(
        "uq_invoices_of_payment",
        "invoices",
        ["payment_id"],
        unique=True,
        postgresql_where=INVOICE,
        sqlite_where=INVOICE,
    )
    op.create_index("ix_api_keys_ever_of_user", "api_keys", ["user_id", "id"], unique=False)
    op.create_index(op.f("ix_payments_user_id_paid_at"), "payments", ["user_id", "paid_at"], unique=False)
    for statement in hortus.core.db.append_only_statements("invoices", op.get_bind().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("papers that were given out are never thrown away: restore a backup instead")
