"""Coupons, who holds them, and what became of each use."""

import sqlalchemy as sa
from alembic import op

import hortus.core.db

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "coupons",
        sa.Column(
            "id", sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column(
            "digest",
            sa.String(length=64).with_variant(sa.String(length=64, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("hint", sa.String(length=4), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("credits", sa.BigInteger(), nullable=True),
        sa.Column("credit_days", sa.Integer(), nullable=True),
        sa.Column("plan", sa.String(length=20), nullable=True),
        sa.Column("pack", sa.String(length=20), nullable=True),
        sa.Column("limit_total", sa.Integer(), nullable=True),
        sa.Column("limit_per_user", sa.Integer(), nullable=True),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.Column("starts_at", hortus.core.db.Moment(timezone=True), nullable=True),
        sa.Column("ends_at", hortus.core.db.Moment(timezone=True), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(kind = 'percent' AND percent BETWEEN 1 AND 100) "
            "OR (kind = 'amount' AND amount_minor > 0 AND currency IS NOT NULL) "
            "OR (kind = 'credit' AND credits > 0)",
            name=op.f("ck_coupons_kind_has_its_value"),
        ),
        sa.CheckConstraint("limit_per_user > 0", name=op.f("ck_coupons_limit_per_user_positive")),
        sa.CheckConstraint("limit_total > 0", name=op.f("ck_coupons_limit_total_positive")),
        sa.CheckConstraint("taken >= 0", name=op.f("ck_coupons_taken_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coupons")),
        sa.UniqueConstraint("digest", name=op.f("uq_coupons_digest")),
    )
    op.create_table(
        "coupon_holders",
        sa.Column(
            "coupon_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "user_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.CheckConstraint("taken >= 0", name=op.f("ck_coupon_holders_taken_not_negative")),
        sa.ForeignKeyConstraint(["coupon_id"], ["coupons.id"], name=op.f("fk_coupon_holders_coupon_id_coupons")),
        sa.PrimaryKeyConstraint("coupon_id", "user_id", name=op.f("pk_coupon_holders")),
    )
    op.create_table(
        "coupon_redemptions",
        sa.Column(
            "id", sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column(
            "coupon_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "user_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "checkout_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("created_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.Column("closed_at", hortus.core.db.Moment(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('reserved', 'used', 'returned')", name=op.f("ck_coupon_redemptions_status_is_known")
        ),
        sa.ForeignKeyConstraint(
            ["checkout_id"], ["checkouts.id"], name=op.f("fk_coupon_redemptions_checkout_id_checkouts")
        ),
        sa.ForeignKeyConstraint(["coupon_id"], ["coupons.id"], name=op.f("fk_coupon_redemptions_coupon_id_coupons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_coupon_redemptions")),
        sa.UniqueConstraint("checkout_id", name=op.f("uq_coupon_redemptions_checkout_id")),
    )
    with op.batch_alter_table("coupon_redemptions") as batch_op:
        batch_op.create_index(batch_op.f("ix_coupon_redemptions_coupon_id_id"), ["coupon_id", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_coupon_redemptions_user_id_id"), ["user_id", "id"], unique=False)


def downgrade() -> None:

    with op.batch_alter_table("coupon_redemptions") as batch_op:
        batch_op.drop_index(batch_op.f("ix_coupon_redemptions_user_id_id"))
        batch_op.drop_index(batch_op.f("ix_coupon_redemptions_coupon_id_id"))

    op.drop_table("coupon_redemptions")
    op.drop_table("coupon_holders")
    op.drop_table("coupons")
