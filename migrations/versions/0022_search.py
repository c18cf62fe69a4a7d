"""Search in chatrooms, messages, files and generations by an index.

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

from hortus.core.search import search_ddl

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

TABLES = ("chatrooms", "messages", "files", "generations")


def upgrade() -> None:
    for name in TABLES:
        op.add_column(name, sa.Column("search", sa.Text(), server_default="", nullable=False))
        for statement in search_ddl(op.get_context().dialect.name, name):
            op.execute(statement)


def downgrade() -> None:
    sqlite = op.get_context().dialect.name == "sqlite"
    for name in TABLES:
        if sqlite:
            for event in ("insert", "update", "delete"):
                op.execute(f"DROP TRIGGER {name}_search_{event}")
            op.execute(f"DROP TABLE {name}_search")
            op.execute(f"DROP TABLE {name}_search_rows")
        else:
            op.execute(f"DROP INDEX ix_{name}_search")
        op.drop_column(name, "search")
