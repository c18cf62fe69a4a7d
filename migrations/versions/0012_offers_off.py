"""Offers that an administrator switched off."""

import sqlalchemy as sa
from alembic import op

import hortus.core.db

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "offers_off",
        sa.Column("provider", sa.String(length=80), nullable=False),
        sa.Column("model", sa.String(length=120), nullable=False),
        sa.Column("since", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("provider", "model", name=op.f("pk_offers_off")),
    )


def downgrade() -> None:
    op.drop_table("offers_off")
