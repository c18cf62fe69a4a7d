"""The retries of a generation are found by an index: one of them runs at a time."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    where = sa.text("retry_of IS NOT NULL")
    op.create_index("ix_generations_retries", "generations", ["retry_of"], postgresql_where=where, sqlite_where=where)


def downgrade() -> None:
    op.drop_index("ix_generations_retries", "generations")
