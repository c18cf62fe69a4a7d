"""Replies may wait for the pending reply before them, so that it is in their context."""

import sqlalchemy as sa
from alembic import op

from hortus.core.db import id_type

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.add_column("messages", sa.Column("waits_for", id_type(), nullable=True))
    op.add_column("messages", sa.Column("request_id", sa.String(128), nullable=True))


def downgrade() -> None:
    for name in ("request_id", "waits_for"):
        op.drop_column("messages", name)
