"""Automatic top-ups, who is told that credit runs low, and who brought whom."""

import sqlalchemy as sa
from alembic import op

import hortus.core.db

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_table(
        "auto_topups",
        sa.Column(
            "user_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("pack", sa.String(length=20), nullable=False),
        sa.Column("gateway", sa.String(length=40), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("below", sa.BigInteger(), nullable=False),
        sa.Column("monthly_cap_minor", sa.BigInteger(), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("spent_minor", sa.BigInteger(), nullable=False),
        sa.Column("hour_started", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.Column("hour_count", sa.Integer(), nullable=False),
        sa.Column(
            "checkout_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.Column("stopped", sa.String(length=20), nullable=True),
        sa.Column("updated_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.CheckConstraint(
            "below > 0 AND monthly_cap_minor > 0 AND spent_minor >= 0", name=op.f("ck_auto_topups_amounts_make_sense")
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_auto_topups")),
    )
    with op.batch_alter_table("auto_topups") as batch_op:
        batch_op.create_index(
            "ix_auto_topups_watched",
            ["user_id"],
            unique=False,
            postgresql_where=sa.text("enabled OR checkout_id IS NOT NULL"),
            sqlite_where=sa.text("enabled OR checkout_id IS NOT NULL"),
        )

    op.create_table(
        "balance_watches",
        sa.Column(
            "user_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("since", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_balance_watches")),
    )
    op.create_table(
        "referral_codes",
        sa.Column(
            "user_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("created_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_referral_codes")),
        sa.UniqueConstraint("code", name=op.f("uq_referral_codes_code")),
    )
    op.create_table(
        "referrals",
        sa.Column(
            "user_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "referrer_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column(
            "payment_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column("reward", sa.BigInteger(), nullable=False),
        sa.Column("welcome", sa.BigInteger(), nullable=False),
        sa.Column("created_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.Column("rewarded_at", hortus.core.db.Moment(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('waiting', 'rewarded', 'taken_back', 'void')", name=op.f("ck_referrals_status_is_known")
        ),
        sa.CheckConstraint("user_id <> referrer_id", name=op.f("ck_referrals_nobody_brings_themselves")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_referrals_payment_id_payments")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_referrals")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_referrals_payment_id")),
    )
    with op.batch_alter_table("referrals") as batch_op:
        batch_op.create_index(batch_op.f("ix_referrals_referrer_id_status"), ["referrer_id", "status"], unique=False)


def downgrade() -> None:

    with op.batch_alter_table("referrals") as batch_op:
        batch_op.drop_index(batch_op.f("ix_referrals_referrer_id_status"))

    op.drop_table("referrals")
    op.drop_table("referral_codes")
    op.drop_table("balance_watches")
    with op.batch_alter_table("auto_topups") as batch_op:
        batch_op.drop_index(
            "ix_auto_topups_watched",
            postgresql_where=sa.text("enabled OR checkout_id IS NOT NULL"),
            sqlite_where=sa.text("enabled OR checkout_id IS NOT NULL"),
        )

    op.drop_table("auto_topups")
