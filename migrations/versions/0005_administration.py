"""The audit log of administrators, and indexes by which staff find users."""

import sqlalchemy as sa
from alembic import op

import hortus.core.db

revision = "0005"
down_revision = "0004"

ID = sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql")
MOMENT = hortus.core.db.Moment(timezone=True)
STAFF, NOT_ACTIVE = sa.text("role <> 'user'"), sa.text("status <> 'active'")


def upgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor_id", ID, nullable=True),
        sa.Column("actor_role", sa.String(length=10), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("target_kind", sa.String(length=20), nullable=False),
        sa.Column("target_id", sa.String(length=200), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("note_digest", sa.String(length=64), nullable=True),
        sa.Column("request_id", sa.String(length=128), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit_events")),
    )
    for what in ("actor", "target"):
        op.create_index(f"ix_audit_events_of_{what}", "audit_events", [f"{what}_id", "position"])
    op.create_index("ix_audit_events_of_action", "audit_events", ["action", "position"])
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.bulk_insert(head, [{"id": 1, "position": 0, "digest": "0" * 64}])
    op.create_table(
        "audit_notes",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("salt", sa.String(length=32), nullable=False),
        sa.Column("text", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(
            ["position"], ["audit_events.position"], name=op.f("fk_audit_notes_position_audit_events")
        ),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit_notes")),
    )
    for statement in hortus.core.db.append_only_statements("audit_events", op.get_bind().dialect.name):
        op.execute(statement)
    op.create_index("ix_users_staff", "users", ["role", "id"], postgresql_where=STAFF, sqlite_where=STAFF)
    op.create_index(
        "ix_users_not_active", "users", ["status", "id"], postgresql_where=NOT_ACTIVE, sqlite_where=NOT_ACTIVE
    )
    op.create_index(
        "ix_identifiers_by_beginning", "identifiers", ["value"], postgresql_ops={"value": "varchar_pattern_ops"}
    )


def downgrade() -> None:
    raise NotImplementedError("an audit log is never migrated away: restore a backup instead")
