"""A payment that fits no order is called unmatched, and may belong to nobody that is known."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"

BEFORE = "kind IN ('subscription', 'change', 'topup', 'auto_topup', 'unexpected')"
AFTER = "kind IN ('subscription', 'change', 'topup', 'auto_topup', 'unmatched')"
UNMATCHED = sa.text("kind = 'unmatched'")


def upgrade() -> None:
    op.drop_index("ix_payments_unexpected", "payments")
    if op.get_bind().dialect.name == "sqlite":
        _rewrite()
        op.execute("UPDATE payments SET kind = 'unmatched' WHERE kind = 'unexpected'")
    else:
        op.drop_constraint(op.f("ck_payments_kind_is_known"), "payments", type_="check")
        op.execute("UPDATE payments SET kind = 'unmatched' WHERE kind = 'unexpected'")
        op.create_check_constraint(op.f("ck_payments_kind_is_known"), "payments", AFTER)
        op.alter_column("payments", "user_id", nullable=True)
    op.create_index("ix_payments_unmatched", "payments", ["id"], postgresql_where=UNMATCHED, sqlite_where=UNMATCHED)


def _rewrite() -> None:
    """Change constraints in place (https://sqlite.org/lang_altertable.html#otheralter).

    A copy of the table would drop the old one, whose rows refunds, disputes and invoices refer to.
    """
    connection = op.get_bind()
    version = connection.execute(sa.text("PRAGMA schema_version")).scalar_one()
    was = connection.execute(sa.text("SELECT sql FROM sqlite_master WHERE name = 'payments'")).scalar_one()
    now = was.replace(BEFORE, AFTER).replace("user_id VARCHAR(36) NOT NULL", "user_id VARCHAR(36)")
    if now.count(AFTER) != 1 or now == was.replace(BEFORE, AFTER):
        raise RuntimeError("the table payments is not as migration 0010 made it")
    connection.execute(sa.text("PRAGMA writable_schema = ON"))
    statement = "UPDATE sqlite_master SET sql = :sql WHERE type = 'table' AND name = 'payments'"
    connection.execute(sa.text(statement), {"sql": now})
    connection.execute(sa.text(f"PRAGMA schema_version = {int(version) + 1}"))
    connection.execute(sa.text("PRAGMA writable_schema = OFF"))


def downgrade() -> None:
    raise NotImplementedError("records of money are never migrated away: restore a backup instead")
