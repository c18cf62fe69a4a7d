"""Generations are charged by usage, also when they are stopped; pending replies are found by their room."""

import sqlalchemy as sa
from alembic import op

from hortus.core.db import Moment

revision = "0021"
down_revision = "0020"

PENDING = sa.text("status = 'pending'")


def upgrade() -> None:
    op.add_column("generations", sa.Column("rates", sa.JSON(), nullable=True))
    op.add_column("generations", sa.Column("charged", sa.BigInteger(), nullable=True))
    op.add_column("generations", sa.Column("stop_requested_at", Moment(timezone=True), nullable=True))
    op.create_index("ix_messages_pending", "messages", ["room_id"], postgresql_where=PENDING, sqlite_where=PENDING)


def downgrade() -> None:
    op.drop_index("ix_messages_pending", "messages")
    for name in ("stop_requested_at", "charged", "rates"):
        op.drop_column("generations", name)
