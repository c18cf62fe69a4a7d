"""What was proved of the data, when, and how it ended."""

import sqlalchemy as sa
from alembic import op

import hortus.core.db

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "proofs",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("proved_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.Column("broken", sa.Integer(), nullable=False),
        sa.Column("checked", sa.Integer(), nullable=False),
        sa.Column("ms", sa.Integer(), nullable=False),
        sa.Column("reached", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_proofs"),
    )


def downgrade() -> None:
    op.drop_table("proofs")
