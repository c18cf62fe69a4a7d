"""Selling: packs, checkouts, subscriptions, payments, the inbox of webhooks, and the sandbox's own books."""

import sqlalchemy as sa
from alembic import op

import hortus.core.db

revision = "0010"
down_revision = "0009"

ID = sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql")
VENDOR_ID = sa.String(length=255).with_variant(sa.String(length=255, collation="C"), "postgresql")
MOMENT = hortus.core.db.Moment(timezone=True)
LIVE = sa.text("status IN ('trialing', 'active', 'past_due')")
WAITING = sa.text("status IN ('new', 'open')")
QUALITIES = '["economy", "balanced", "premium"]'


def upgrade() -> None:
    op.create_table(
        "credit_packs",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=80), nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("prices", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("defaults", sa.String(length=64), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("credits > 0", name=op.f("ck_credit_packs_credits_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_packs")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_credit_packs_name_version")),
    )
    op.create_table(
        "gateway_customers",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("gateway", sa.String(length=40), nullable=False),
        sa.Column("vendor_id", VENDOR_ID, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "gateway", name=op.f("pk_gateway_customers")),
        sa.UniqueConstraint("gateway", "vendor_id", name=op.f("uq_gateway_customers_gateway_vendor_id")),
    )
    op.create_table(
        "sandbox_events",
        sa.Column("id", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject_kind", sa.String(length=20), nullable=False),
        sa.Column("subject_id", sa.String(length=60), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sandbox_events")),
    )
    op.create_index(op.f("ix_sandbox_events_created_at_id"), "sandbox_events", ["created_at", "id"], unique=False)

    op.create_table(
        "sandbox_objects",
        sa.Column("id", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("parent", sa.String(length=60), nullable=True),
        sa.Column("key", sa.String(length=120), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sandbox_objects")),
        sa.UniqueConstraint("key", name=op.f("uq_sandbox_objects_key")),
    )
    op.create_index(op.f("ix_sandbox_objects_kind_due_at"), "sandbox_objects", ["kind", "due_at"], unique=False)
    op.create_index(op.f("ix_sandbox_objects_parent_kind"), "sandbox_objects", ["parent", "kind"], unique=False)

    op.create_table(
        "webhook_events",
        sa.Column("id", ID, nullable=False),
        sa.Column("gateway", sa.String(length=40), nullable=False),
        sa.Column("event_id", VENDOR_ID, nullable=False),
        sa.Column("kind", sa.String(length=120), nullable=False),
        sa.Column("subject_kind", sa.String(length=20), nullable=True),
        sa.Column("subject_id", VENDOR_ID, nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("failure", sa.String(length=300), nullable=True),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("handled_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "status IN ('waiting', 'handled', 'kept', 'dead')", name=op.f("ck_webhook_events_status_is_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_events")),
        sa.UniqueConstraint("gateway", "event_id", name=op.f("uq_webhook_events_gateway_event_id")),
    )
    op.create_index(op.f("ix_webhook_events_status_id"), "webhook_events", ["status", "id"], unique=False)

    op.create_table(
        "checkouts",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("gateway", sa.String(length=40), nullable=False),
        sa.Column("vendor_id", VENDOR_ID, nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("plan_id", ID, nullable=True),
        sa.Column("interval", sa.String(length=10), nullable=True),
        sa.Column("pack_id", ID, nullable=True),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("discount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("trial_days", sa.Integer(), nullable=False),
        sa.Column("coupon_id", ID, nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("order", sa.JSON(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.CheckConstraint("kind IN ('subscription', 'topup', 'auto_topup')", name=op.f("ck_checkouts_kind_is_known")),
        sa.CheckConstraint("status IN ('new', 'open', 'paid', 'ended')", name=op.f("ck_checkouts_status_is_known")),
        sa.CheckConstraint(
            "amount_minor >= 0 AND discount_minor >= 0 AND credits >= 0", name=op.f("ck_checkouts_amounts_not_negative")
        ),
        sa.ForeignKeyConstraint(["pack_id"], ["credit_packs.id"], name=op.f("fk_checkouts_pack_id_credit_packs")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_checkouts_plan_id_plans")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkouts")),
        sa.UniqueConstraint("gateway", "vendor_id", name=op.f("uq_checkouts_gateway_vendor_id")),
    )
    op.create_index(op.f("ix_checkouts_user_id_id"), "checkouts", ["user_id", "id"], unique=False)
    op.create_index(
        "ix_checkouts_waiting",
        "checkouts",
        ["created_at"],
        unique=False,
        postgresql_where=WAITING,
        sqlite_where=WAITING,
    )

    op.create_table(
        "vendor_prices",
        sa.Column("gateway", sa.String(length=40), nullable=False),
        sa.Column("plan_id", ID, nullable=False),
        sa.Column("interval", sa.String(length=10), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("vendor_id", VENDOR_ID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_vendor_prices_plan_id_plans")),
        sa.PrimaryKeyConstraint("gateway", "plan_id", "interval", "currency", name=op.f("pk_vendor_prices")),
        sa.UniqueConstraint("gateway", "vendor_id", name=op.f("uq_vendor_prices_gateway_vendor_id")),
    )
    op.create_table(
        "subscriptions",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("gateway", sa.String(length=40), nullable=False),
        sa.Column("vendor_id", VENDOR_ID, nullable=False),
        sa.Column("checkout_id", ID, nullable=True),
        sa.Column("plan_id", ID, nullable=False),
        sa.Column("interval", sa.String(length=10), nullable=False),
        sa.Column("next_plan_id", ID, nullable=True),
        sa.Column("next_interval", sa.String(length=10), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("period_start", MOMENT, nullable=False),
        sa.Column("period_end", MOMENT, nullable=False),
        sa.Column("paid_until", MOMENT, nullable=False),
        sa.Column("trial_end", MOMENT, nullable=True),
        sa.Column("cancels_at_period_end", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("read_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "status IN ('trialing', 'active', 'past_due', 'ended', 'unwanted')",
            name=op.f("ck_subscriptions_status_is_known"),
        ),
        sa.ForeignKeyConstraint(["checkout_id"], ["checkouts.id"], name=op.f("fk_subscriptions_checkout_id_checkouts")),
        sa.ForeignKeyConstraint(["next_plan_id"], ["plans.id"], name=op.f("fk_subscriptions_next_plan_id_plans")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_subscriptions_plan_id_plans")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
        sa.UniqueConstraint("gateway", "vendor_id", name=op.f("uq_subscriptions_gateway_vendor_id")),
    )
    op.create_index(
        "ix_subscriptions_renewing",
        "subscriptions",
        ["period_end"],
        unique=False,
        postgresql_where=LIVE,
        sqlite_where=LIVE,
    )
    op.create_index(op.f("ix_subscriptions_user_id_id"), "subscriptions", ["user_id", "id"], unique=False)
    op.create_index(
        "uq_subscriptions_live", "subscriptions", ["user_id"], unique=True, postgresql_where=LIVE, sqlite_where=LIVE
    )

    op.create_table(
        "failed_payments",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("gateway", sa.String(length=40), nullable=False),
        sa.Column("vendor_id", VENDOR_ID, nullable=False),
        sa.Column("checkout_id", ID, nullable=True),
        sa.Column("subscription_id", ID, nullable=True),
        sa.Column("reason", sa.String(length=80), nullable=False),
        sa.Column("failed_at", MOMENT, nullable=False),
        sa.Column("retry_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["checkout_id"], ["checkouts.id"], name=op.f("fk_failed_payments_checkout_id_checkouts")
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("fk_failed_payments_subscription_id_subscriptions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failed_payments")),
        sa.UniqueConstraint("gateway", "vendor_id", name=op.f("uq_failed_payments_gateway_vendor_id")),
    )
    op.create_index(op.f("ix_failed_payments_user_id_id"), "failed_payments", ["user_id", "id"], unique=False)

    op.create_table(
        "payments",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("gateway", sa.String(length=40), nullable=False),
        sa.Column("vendor_id", VENDOR_ID, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("checkout_id", ID, nullable=True),
        sa.Column("subscription_id", ID, nullable=True),
        sa.Column("plan_id", ID, nullable=True),
        sa.Column("interval", sa.String(length=10), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("method", sa.String(length=40), nullable=True),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("period_start", MOMENT, nullable=True),
        sa.Column("period_end", MOMENT, nullable=True),
        sa.Column("refunded_minor", sa.BigInteger(), nullable=False),
        sa.Column("disputed_minor", sa.BigInteger(), nullable=False),
        sa.Column("clawed_wanted", sa.BigInteger(), nullable=False),
        sa.Column("clawed_credits", sa.BigInteger(), nullable=False),
        sa.Column("restored", sa.Integer(), nullable=False),
        sa.Column("paid_at", MOMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "kind IN ('subscription', 'change', 'topup', 'auto_topup', 'unexpected')",
            name=op.f("ck_payments_kind_is_known"),
        ),
        sa.CheckConstraint("0 <= clawed_wanted AND clawed_wanted <= credits", name=op.f("ck_payments_clawed_fits")),
        sa.CheckConstraint(
            "0 <= refunded_minor AND 0 <= disputed_minor", name=op.f("ck_payments_amounts_not_negative")
        ),
        sa.ForeignKeyConstraint(["checkout_id"], ["checkouts.id"], name=op.f("fk_payments_checkout_id_checkouts")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_payments_plan_id_plans")),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("fk_payments_subscription_id_subscriptions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("gateway", "vendor_id", name=op.f("uq_payments_gateway_vendor_id")),
    )
    op.create_index(op.f("ix_payments_paid_at"), "payments", ["paid_at"], unique=False)
    op.create_index(op.f("ix_payments_subscription_id_id"), "payments", ["subscription_id", "id"], unique=False)
    op.create_index(op.f("ix_payments_user_id_id"), "payments", ["user_id", "id"], unique=False)

    op.create_table(
        "disputes",
        sa.Column("id", ID, nullable=False),
        sa.Column("payment_id", ID, nullable=False),
        sa.Column("gateway", sa.String(length=40), nullable=False),
        sa.Column("vendor_id", VENDOR_ID, nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.CheckConstraint("status IN ('open', 'won', 'lost')", name=op.f("ck_disputes_status_is_known")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_disputes_payment_id_payments")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disputes")),
        sa.UniqueConstraint("gateway", "vendor_id", name=op.f("uq_disputes_gateway_vendor_id")),
    )
    op.create_index(op.f("ix_disputes_payment_id"), "disputes", ["payment_id"], unique=False)

    op.create_table(
        "refunds",
        sa.Column("id", ID, nullable=False),
        sa.Column("payment_id", ID, nullable=False),
        sa.Column("gateway", sa.String(length=40), nullable=False),
        sa.Column("vendor_id", VENDOR_ID, nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("refunded_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_refunds_payment_id_payments")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("gateway", "vendor_id", name=op.f("uq_refunds_gateway_vendor_id")),
    )
    op.create_index(op.f("ix_refunds_payment_id"), "refunds", ["payment_id"], unique=False)

    with op.batch_alter_table("plans") as batch_op:
        batch_op.add_column(sa.Column("yearly_prices", sa.JSON(), server_default="{}", nullable=False))
        batch_op.add_column(sa.Column("features", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("qualities", sa.JSON(), server_default=QUALITIES, nullable=False))
        batch_op.add_column(sa.Column("trial_days", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    raise NotImplementedError("records of money are never migrated away: restore a backup instead")
