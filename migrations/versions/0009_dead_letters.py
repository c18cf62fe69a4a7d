"""Dead letters are found by an index of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    dead = sa.text("status = 'dead'")
    op.create_index("ix_tasks_dead", "tasks", ["id"], postgresql_where=dead, sqlite_where=dead)


def downgrade() -> None:
    op.drop_index("ix_tasks_dead", "tasks")
