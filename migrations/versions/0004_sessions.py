"""Sessions tell when they proved themselves; devices are remembered; failed sign-ins are counted."""

import sqlalchemy as sa
from alembic import op

import hortus.core.db

revision = "0004"
down_revision = "0003"

ID = sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql")
MOMENT = hortus.core.db.Moment(timezone=True)
LONG_AGO = "2000-01-01 00:00:00.000000"


def upgrade() -> None:
    # With defaults, so that SQLite adds the columns in place: refresh tokens point at this table.
    op.add_column("sessions", sa.Column("authenticated_at", MOMENT, nullable=False, server_default=LONG_AGO))
    op.add_column("sessions", sa.Column("authenticated_by", sa.String(20), nullable=False, server_default="password"))
    op.add_column("sessions", sa.Column("device_id", ID, nullable=True))
    op.execute("UPDATE sessions SET authenticated_at = created_at")
    op.create_table(
        "devices",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("first_seen_at", MOMENT, nullable=False),
        sa.Column("last_seen_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_devices_user_id_users")),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_devices")),
    )
    op.create_index(op.f("ix_devices_last_seen_at"), "devices", ["last_seen_at"])
    op.create_table(
        "sign_in_lanes",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sign_in_lanes")),
    )
    op.create_index(op.f("ix_sign_in_lanes_updated_at"), "sign_in_lanes", ["updated_at"])


def downgrade() -> None:
    raise NotImplementedError("money is never migrated away: restore a backup instead")
