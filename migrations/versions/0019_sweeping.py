"""What customers deleted is found by when they did, to be swept."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    for name, table, column in (
        ("ix_chatrooms_deleted", "chatrooms", "deleted_at"),
        ("ix_files_swept", "files", "swept_at"),
    ):
        where = sa.text(f"{column} IS NOT NULL")
        op.create_index(name, table, [column], postgresql_where=where, sqlite_where=where)


def downgrade() -> None:
    op.drop_index("ix_files_swept", "files")
    op.drop_index("ix_chatrooms_deleted", "chatrooms")
