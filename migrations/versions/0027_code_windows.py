"""Caps per hour keep the moment of each message or try, so that any sixty minutes hold no more than the cap."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    op.add_column("code_send_counts", sa.Column("moments", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("code_send_counts", "moments")
