"""Each process stores the settings that must be equal in all of them."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.add_column("task_workers", sa.Column("settings", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("task_workers", "settings")
