"""Credits that administrators give, with a second one above a limit."""

import sqlalchemy as sa
from alembic import op

import hortus.core.db

revision = "0006"
down_revision = "0005"

ID = sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql")
MOMENT = hortus.core.db.Moment(timezone=True)


def upgrade() -> None:
    op.create_table(
        "credit_requests",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("asked_by", ID, nullable=False),
        sa.Column("decided_by", ID, nullable=True),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "status IN ('pending', 'granted', 'rejected', 'reversed')", name=op.f("ck_credit_requests_status_is_known")
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_credit_requests_amount_is_positive")),
        sa.CheckConstraint(
            "decided_by IS NULL OR decided_by <> asked_by OR status = 'rejected'",
            name=op.f("ck_credit_requests_two_people"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_requests")),
    )
    op.create_index("ix_credit_requests_by_status", "credit_requests", ["status", "id"])
    op.create_index("ix_credit_requests_of_user", "credit_requests", ["user_id", "id"])
    op.create_index("ix_credit_requests_of_asker", "credit_requests", ["asked_by", "created_at"])


def downgrade() -> None:
    raise NotImplementedError("money is never migrated away: restore a backup instead")
