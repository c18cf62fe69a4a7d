"""Vendors that refused the installation's key."""

import sqlalchemy as sa
from alembic import op

import hortus.core.db

revision = "0023"
down_revision = "0022"

MOMENT = hortus.core.db.Moment(timezone=True)


def upgrade() -> None:
    op.create_table(
        "key_refusals",
        sa.Column("provider", sa.String(length=80), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("checked_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_key_refusals")),
    )


def downgrade() -> None:
    op.drop_table("key_refusals")
