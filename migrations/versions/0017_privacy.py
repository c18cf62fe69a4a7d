"""Consent on record, archives of people's data, and accounts that are erased after a grace time."""

import sqlalchemy as sa
from alembic import op

import hortus.core.db
from hortus.core import ids

revision = "0017"
down_revision = "0016"


def _id() -> sa.String:
    return sa.String(36).with_variant(sa.String(36, collation="C"), "postgresql")


def _moment() -> hortus.core.db.Moment:
    return hortus.core.db.Moment(timezone=True)


def upgrade() -> None:
    records = op.create_table(
        "consent_records",
        sa.Column("id", _id(), nullable=False),
        sa.Column("user_id", _id(), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("version", sa.String(40), nullable=False),
        sa.Column("source", sa.String(10), nullable=False),
        sa.Column("network", sa.String(64)),
        sa.Column("said_at", _moment(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_consent_records_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_consent_records"),
    )
    op.create_index("ix_consent_records_of_user", "consent_records", ["user_id", "kind", "id"])
    op.create_table(
        "data_exports",
        sa.Column("id", _id(), nullable=False),
        sa.Column("user_id", _id(), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("bytes", sa.BigInteger()),
        sa.Column("sha256", sa.String(64)),
        sa.Column("created_at", _moment(), nullable=False),
        sa.Column("ready_at", _moment()),
        sa.Column("expires_at", _moment(), nullable=False),
        sa.CheckConstraint(
            "status IN ('building', 'ready', 'failed', 'expired')", name="ck_data_exports_status_is_known"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_data_exports_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_data_exports"),
    )
    op.create_index("ix_data_exports_of_user", "data_exports", ["user_id", "id"])
    op.create_index("ix_data_exports_ending", "data_exports", ["status", "expires_at"])
    building = sa.text("status = 'building'")
    op.create_index(
        "uq_data_exports_building",
        "data_exports",
        ["user_id"],
        unique=True,
        postgresql_where=building,
        sqlite_where=building,
    )
    op.create_table(
        "account_deletions",
        sa.Column("id", _id(), nullable=False),
        sa.Column("user_id", _id(), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("asked_at", _moment(), nullable=False),
        sa.Column("erase_at", _moment(), nullable=False),
        sa.Column("ended_at", _moment()),
        sa.CheckConstraint(
            "status IN ('waiting', 'undone', 'erasing', 'erased')", name="ck_account_deletions_status_is_known"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_account_deletions_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_account_deletions"),
    )
    still = sa.text("status IN ('waiting', 'erasing')")
    op.create_index(
        "uq_account_deletions_open",
        "account_deletions",
        ["user_id"],
        unique=True,
        postgresql_where=still,
        sqlite_where=still,
    )
    op.create_index(
        "ix_account_deletions_due", "account_deletions", ["erase_at"], postgresql_where=still, sqlite_where=still
    )
    written = sa.text("body IS NOT NULL")
    op.create_index(
        "ix_webhook_events_with_body", "webhook_events", ["id"], postgresql_where=written, sqlite_where=written
    )
    _keep_what_was_said(records)


def _keep_what_was_said(records: sa.Table) -> None:
    """Whoever signed up before agreed to the first text; from where is not known."""
    users = sa.table(
        "users",
        sa.column("id"),
        sa.column("marketing_consent", sa.Boolean()),
        sa.column("terms_accepted_at", _moment()),
        sa.column("created_at", _moment()),
    )
    said = []
    for user in op.get_bind().execute(sa.select(users)).all():
        for kind, given, at in (
            ("terms", user.terms_accepted_at is not None, user.terms_accepted_at),
            ("marketing", user.marketing_consent, user.created_at),
        ):
            if given:
                row = {"id": ids.new(), "user_id": user.id, "kind": kind, "given": True, "network": None}
                said.append({**row, "version": "1", "source": "sign_up", "said_at": at})
    if said:
        op.bulk_insert(records, said)


def downgrade() -> None:
    raise NotImplementedError("what people agreed to would be forgotten: restore a backup instead")
