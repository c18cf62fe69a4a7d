"""Staff finds payments by vendor's id, by what went back, and by time."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

PARTS = {
    "ix_payments_covering": ("period_end", "kind = 'subscription'"),
    "ix_payments_disputed": ("id", "disputed_minor > 0"),
    "ix_payments_refunded": ("id", "refunded_minor > 0"),
    "ix_payments_unexpected": ("id", "kind = 'unexpected'"),
}
TIMES = (
    ("disputes", "opened_at"),
    ("refunds", "refunded_at"),
    ("subscriptions", "created_at"),
    ("subscriptions", "ended_at"),
)


def upgrade() -> None:
    for name, (column, test) in PARTS.items():
        op.create_index(name, "payments", [column], postgresql_where=sa.text(test), sqlite_where=sa.text(test))
    op.create_index("ix_payments_by_vendor_id", "payments", ["vendor_id", "id"])
    for table, column in TIMES:
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column])


def downgrade() -> None:
    for table, column in TIMES:
        op.drop_index(op.f(f"ix_{table}_{column}"), table)
    for name in (*PARTS, "ix_payments_by_vendor_id"):
        op.drop_index(name, "payments")
