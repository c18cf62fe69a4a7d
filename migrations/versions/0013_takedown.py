"""Works can be taken down; staff finds works by kind, failure and takedown."""

import sqlalchemy as sa
from alembic import op

import hortus.core.db

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("generations", sa.Column("taken_down_at", hortus.core.db.Moment(timezone=True), nullable=True))
    op.add_column("generations", sa.Column("withheld", sa.JSON(), nullable=True))
    op.create_index("ix_generations_by_kind", "generations", ["kind", "id"])
    for what, test in (("failed", "status = 'failed'"), ("taken_down", "taken_down_at IS NOT NULL")):
        where = sa.text(test)
        op.create_index(f"ix_generations_{what}", "generations", ["id"], postgresql_where=where, sqlite_where=where)


def downgrade() -> None:
    raise NotImplementedError("what was taken down would be shown again: restore a backup instead")
