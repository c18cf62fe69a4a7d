"""API keys, their secrets by digest, and what each has used of its budgets."""

import sqlalchemy as sa
from alembic import op

import hortus.core.db

revision = "0007"
down_revision = "0006"

ID = sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql")
WORD = sa.String(length=20).with_variant(sa.String(length=20, collation="C"), "postgresql")
REFERENCE = sa.String(length=120).with_variant(sa.String(length=120, collation="C"), "postgresql")
MOMENT = hortus.core.db.Moment(timezone=True)
STANDING = sa.text("revoked_at IS NULL")
ROOM_TO_UPDATE = {"postgresql_with": {"fillfactor": 80}}


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("prefix", sa.String(length=20), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("models", sa.JSON(), nullable=True),
        sa.Column("addresses", sa.JSON(), nullable=True),
        sa.Column("daily_calls", sa.BigInteger(), nullable=True),
        sa.Column("monthly_calls", sa.BigInteger(), nullable=True),
        sa.Column("daily_credits", sa.BigInteger(), nullable=True),
        sa.Column("monthly_credits", sa.BigInteger(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("rotated_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.Column("last_used_address", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_api_keys_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        **ROOM_TO_UPDATE,
    )
    op.create_index(
        "ix_api_keys_of_user", "api_keys", ["user_id", "id"], postgresql_where=STANDING, sqlite_where=STANDING
    )
    op.create_table(
        "api_key_secrets",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("key_id", ID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_api_key_secrets_key_id_api_keys")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_api_key_secrets")),
    )
    op.create_index(op.f("ix_api_key_secrets_key_id"), "api_key_secrets", ["key_id"])
    op.create_table(
        "budget_usage",
        sa.Column("key_id", ID, nullable=False),
        sa.Column("window", WORD, nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("calls >= 0", name=op.f("ck_budget_usage_calls_not_negative")),
        sa.CheckConstraint("credits >= 0", name=op.f("ck_budget_usage_credits_not_negative")),
        sa.PrimaryKeyConstraint("key_id", "window", "starts_on", name=op.f("pk_budget_usage")),
        **ROOM_TO_UPDATE,
    )
    op.create_table(
        "budget_takes",
        sa.Column("reference", REFERENCE, nullable=False),
        sa.Column("key_id", ID, nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("calls >= 0", name=op.f("ck_budget_takes_calls_not_negative")),
        sa.CheckConstraint("credits >= 0", name=op.f("ck_budget_takes_credits_not_negative")),
        sa.CheckConstraint("status IN ('taken', 'given_back')", name=op.f("ck_budget_takes_status_is_known")),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_budget_takes")),
        **ROOM_TO_UPDATE,
    )
    op.add_column("generations", sa.Column("key_id", ID, nullable=True))


def downgrade() -> None:
    raise NotImplementedError("money is never migrated away: restore a backup instead")
