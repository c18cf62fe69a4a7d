"""The first schema: accounts, chat, files, generations, the ledger, quotas, tasks."""

import sqlalchemy as sa
from alembic import op

import hortus.core.db

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "chatrooms",
        sa.Column(
            "id", sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column(
            "user_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("description", sa.String(length=2000), nullable=True),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column(
            "activity",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "leaf_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column("created_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.Column("updated_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.Column("deleted_at", hortus.core.db.Moment(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chatrooms")),
    )
    with op.batch_alter_table("chatrooms", schema=None) as batch_op:
        batch_op.create_index("ix_chatrooms_of_user", ["user_id", "activity"], unique=False)

    op.create_table(
        "credit_accounts",
        sa.Column(
            "user_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("debt", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("debt >= 0", name=op.f("ck_credit_accounts_debt_not_negative")),
        sa.CheckConstraint("held <= balance + debt", name=op.f("ck_credit_accounts_held_is_covered")),
        sa.CheckConstraint("held >= 0", name=op.f("ck_credit_accounts_held_not_negative")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_credit_accounts")),
        postgresql_with={"fillfactor": 80},
    )
    op.create_table(
        "credit_grants",
        sa.Column(
            "id", sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column(
            "user_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "reference",
            sa.String(length=120).with_variant(sa.String(length=120, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("expired", sa.BigInteger(), nullable=False),
        sa.Column("clawed_back", sa.BigInteger(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("expires_at", hortus.core.db.Moment(timezone=True), nullable=True),
        sa.Column("created_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.CheckConstraint(
            "0 <= expired AND 0 <= clawed_back AND expired + clawed_back <= amount",
            name=op.f("ck_credit_grants_losses_fit"),
        ),
        sa.CheckConstraint(
            "0 <= held AND held <= remaining AND remaining <= amount", name=op.f("ck_credit_grants_parts_fit")
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_credit_grants_amount_is_positive")),
        sa.CheckConstraint("is_open = (remaining > 0)", name=op.f("ck_credit_grants_open_while_it_lasts")),
        sa.CheckConstraint("remaining + expired <= amount", name=op.f("ck_credit_grants_nothing_comes_back")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_grants")),
        sa.UniqueConstraint("reference", name=op.f("uq_credit_grants_reference")),
        postgresql_with={"fillfactor": 80},
    )
    with op.batch_alter_table("credit_grants", schema=None) as batch_op:
        batch_op.create_index(
            "ix_credit_grants_expiring",
            ["expires_at"],
            unique=False,
            postgresql_where=sa.text("is_open"),
            sqlite_where=sa.text("is_open"),
        )
        batch_op.create_index(
            "ix_credit_grants_open",
            ["user_id"],
            unique=False,
            postgresql_where=sa.text("is_open"),
            sqlite_where=sa.text("is_open"),
        )
        batch_op.create_index(batch_op.f("ix_credit_grants_user_id"), ["user_id"], unique=False)

    op.create_table(
        "credit_reservations",
        sa.Column(
            "reference",
            sa.String(length=120).with_variant(sa.String(length=120, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "user_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("settled_amount", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("expires_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.Column("created_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.Column("closed_at", hortus.core.db.Moment(timezone=True), nullable=True),
        sa.CheckConstraint("(status = 'open') = (closed_at IS NULL)", name=op.f("ck_credit_reservations_closed_once")),
        sa.CheckConstraint(
            "status IN ('open', 'settled', 'released', 'expired')", name=op.f("ck_credit_reservations_status_is_known")
        ),
        sa.CheckConstraint(
            "amount >= 0 AND settled_amount >= 0 AND settled_amount <= amount",
            name=op.f("ck_credit_reservations_settled_fits"),
        ),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_credit_reservations")),
        postgresql_with={"fillfactor": 80},
    )
    with op.batch_alter_table("credit_reservations", schema=None) as batch_op:
        batch_op.create_index(
            "ix_credit_reservations_open",
            ["expires_at"],
            unique=False,
            postgresql_where=sa.text("status = 'open'"),
            sqlite_where=sa.text("status = 'open'"),
        )

    op.create_table(
        "files",
        sa.Column(
            "id", sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column(
            "user_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("purpose", sa.String(length=10), nullable=False),
        sa.Column(
            "generation_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column("filename", sa.String(length=120), nullable=False),
        sa.Column("mime_type", sa.String(length=60), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("scan", sa.String(length=12), nullable=False),
        sa.Column("storage_key", sa.String(length=120), nullable=False),
        sa.Column("created_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.Column("accessed_count", sa.Integer(), nullable=False),
        sa.Column("last_accessed_at", hortus.core.db.Moment(timezone=True), nullable=True),
        sa.Column("deleted_at", hortus.core.db.Moment(timezone=True), nullable=True),
        sa.Column("swept_at", hortus.core.db.Moment(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_files")),
    )
    with op.batch_alter_table("files", schema=None) as batch_op:
        batch_op.create_index("ix_files_of_user", ["user_id", "id"], unique=False)
        batch_op.create_index(
            "ix_files_to_sweep",
            ["deleted_at"],
            unique=False,
            postgresql_where=sa.text("deleted_at IS NOT NULL AND swept_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NOT NULL AND swept_at IS NULL"),
        )

    op.create_table(
        "generations",
        sa.Column(
            "id", sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column(
            "user_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("operation", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("quality", sa.String(length=10), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("asked", sa.JSON(), nullable=False),
        sa.Column("route", sa.JSON(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=True),
        sa.Column("cost_currency", sa.String(length=3), nullable=True),
        sa.Column("model", sa.String(length=80), nullable=False),
        sa.Column("provider", sa.String(length=80), nullable=True),
        sa.Column("job_provider", sa.String(length=80), nullable=True),
        sa.Column("job_model", sa.String(length=120), nullable=True),
        sa.Column("job_handle", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("outputs", sa.JSON(), nullable=False),
        sa.Column("usage", sa.JSON(), nullable=True),
        sa.Column("attempts", sa.JSON(), nullable=False),
        sa.Column("error_code", sa.String(length=40), nullable=True),
        sa.Column(
            "retry_of",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column("created_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.Column("started_at", hortus.core.db.Moment(timezone=True), nullable=True),
        sa.Column("finished_at", hortus.core.db.Moment(timezone=True), nullable=True),
        sa.Column("deleted_at", hortus.core.db.Moment(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generations")),
    )
    with op.batch_alter_table("generations", schema=None) as batch_op:
        batch_op.create_index("ix_generations_of_user", ["user_id", "id"], unique=False)
        batch_op.create_index("ix_generations_of_user_by_kind", ["user_id", "kind", "id"], unique=False)

    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.String(length=80), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.JSON(), nullable=True),
        sa.Column("expires_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name=op.f("pk_idempotency_keys")),
    )
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotency_keys_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "plans",
        sa.Column(
            "id", sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column(
            "name", sa.String(length=20).with_variant(sa.String(length=20, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=80), nullable=False),
        sa.Column("prices", sa.JSON(), nullable=False),
        sa.Column("monthly_credits", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("defaults", sa.String(length=64), nullable=True),
        sa.Column("created_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.CheckConstraint("monthly_credits >= 0", name=op.f("ck_plans_credits_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_plans_name_version")),
    )
    op.create_table(
        "quota_takes",
        sa.Column(
            "reference",
            sa.String(length=120).with_variant(sa.String(length=120, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "user_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "kind", sa.String(length=20).with_variant(sa.String(length=20, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("created_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('taken', 'given_back')", name=op.f("ck_quota_takes_status_is_known")),
        sa.CheckConstraint("count >= 0", name=op.f("ck_quota_takes_count_not_negative")),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_quota_takes")),
        postgresql_with={"fillfactor": 80},
    )
    with op.batch_alter_table("quota_takes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_quota_takes_user_id"), ["user_id"], unique=False)

    op.create_table(
        "quota_usage",
        sa.Column(
            "user_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "kind", sa.String(length=20).with_variant(sa.String(length=20, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column(
            "window",
            sa.String(length=20).with_variant(sa.String(length=20, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.CheckConstraint("used >= 0", name=op.f("ck_quota_usage_used_not_negative")),
        sa.PrimaryKeyConstraint("user_id", "kind", "window", "starts_on", name=op.f("pk_quota_usage")),
        postgresql_with={"fillfactor": 80},
    )
    op.create_table(
        "setup_tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("used_at", hortus.core.db.Moment(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_setup_tokens")),
    )
    op.create_table(
        "task_schedules",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("next_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.Column("last_at", hortus.core.db.Moment(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_task_schedules")),
    )
    op.create_table(
        "tasks",
        sa.Column(
            "id", sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("queue", sa.String(length=20), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("run_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lease_until", hortus.core.db.Moment(timezone=True), nullable=True),
        sa.Column("worker", sa.String(length=80), nullable=True),
        sa.Column("key", sa.String(length=120), nullable=True),
        sa.Column(
            "user_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column("request_id", sa.String(length=128), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.Column("finished_at", hortus.core.db.Moment(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
    )
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.create_index("ix_tasks_ended", ["status", "finished_at"], unique=False)
        batch_op.create_index(
            "ix_tasks_leased",
            ["lease_until"],
            unique=False,
            postgresql_where=sa.text("status = 'running'"),
            sqlite_where=sa.text("status = 'running'"),
        )
        batch_op.create_index(
            "ix_tasks_to_claim",
            ["queue", "priority", "run_at"],
            unique=False,
            postgresql_where=sa.text("status = 'queued'"),
            sqlite_where=sa.text("status = 'queued'"),
        )
        batch_op.create_index(
            "uq_tasks_live_key",
            ["key"],
            unique=True,
            postgresql_where=sa.text("status IN ('queued', 'running')"),
            sqlite_where=sa.text("status IN ('queued', 'running')"),
        )

    op.create_table(
        "users",
        sa.Column(
            "id", sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("name", sa.String(length=100), nullable=True),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("marketing_consent", sa.Boolean(), nullable=False),
        sa.Column("terms_accepted_at", hortus.core.db.Moment(timezone=True), nullable=True),
        sa.Column("created_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.Column("updated_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_table(
        "identifiers",
        sa.Column(
            "id", sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column(
            "user_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("value", sa.String(length=320), nullable=False),
        sa.Column("verified_at", hortus.core.db.Moment(timezone=True), nullable=True),
        sa.Column("created_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_identifiers_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identifiers")),
        sa.UniqueConstraint("kind", "value", name=op.f("uq_identifiers_kind_value")),
    )
    with op.batch_alter_table("identifiers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_identifiers_user_id"), ["user_id"], unique=False)

    op.create_table(
        "ledger_entries",
        sa.Column(
            "id", sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column(
            "account",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column(
            "reference",
            sa.String(length=120).with_variant(sa.String(length=120, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "grant_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column("created_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_ledger_entries_amount_moves")),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["credit_grants.id"], name=op.f("fk_ledger_entries_grant_id_credit_grants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint("reference", "account", name=op.f("uq_ledger_entries_reference_account")),
    )
    with op.batch_alter_table("ledger_entries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_ledger_entries_account_id"), ["account", "id"], unique=False)

    op.create_table(
        "messages",
        sa.Column(
            "id", sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column(
            "room_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "parent_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column(
            "generation_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.Column("error_code", sa.String(length=40), nullable=True),
        sa.Column("created_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["chatrooms.id"], name=op.f("fk_messages_room_id_chatrooms")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
    )
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.create_index("ix_messages_of_room", ["room_id", "id"], unique=False)

    op.create_table(
        "plan_holders",
        sa.Column(
            "user_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "plan_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("until", hortus.core.db.Moment(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_plan_holders_plan_id_plans")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_plan_holders")),
    )
    with op.batch_alter_table("plan_holders", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_plan_holders_plan_id"), ["plan_id"], unique=False)

    op.create_table(
        "plan_windows",
        sa.Column(
            "plan_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column(
            "kind", sa.String(length=20).with_variant(sa.String(length=20, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column(
            "window",
            sa.String(length=20).with_variant(sa.String(length=20, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("limit", sa.Integer(), nullable=True),
        sa.CheckConstraint('"limit" >= 0', name=op.f("ck_plan_windows_limit_not_negative")),
        sa.CheckConstraint("\"window\" IN ('day', 'month')", name=op.f("ck_plan_windows_window_is_known")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_plan_windows_plan_id_plans")),
        sa.PrimaryKeyConstraint("plan_id", "kind", "window", name=op.f("pk_plan_windows")),
    )
    op.create_table(
        "reservation_parts",
        sa.Column(
            "reference",
            sa.String(length=120).with_variant(sa.String(length=120, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column(
            "grant_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_reservation_parts_amount_is_positive")),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["credit_grants.id"], name=op.f("fk_reservation_parts_grant_id_credit_grants")
        ),
        sa.ForeignKeyConstraint(
            ["reference"],
            ["credit_reservations.reference"],
            name=op.f("fk_reservation_parts_reference_credit_reservations"),
        ),
        sa.PrimaryKeyConstraint("reference", "position", name=op.f("pk_reservation_parts")),
    )
    op.create_table(
        "sessions",
        sa.Column(
            "id", sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"), nullable=False
        ),
        sa.Column(
            "user_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("device", sa.String(length=200), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("created_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.Column("last_used_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.Column("expires_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.Column("revoked_at", hortus.core.db.Moment(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index("ix_sessions_of_user", ["user_id", "id"], unique=False)

    op.create_table(
        "refresh_tokens",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column(
            "session_id",
            sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("created_at", hortus.core.db.Moment(timezone=True), nullable=False),
        sa.Column("used_at", hortus.core.db.Moment(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=op.f("fk_refresh_tokens_session_id_sessions")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_refresh_tokens")),
    )
    with op.batch_alter_table("refresh_tokens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_refresh_tokens_session_id"), ["session_id"], unique=False)

    for statement in hortus.core.db.append_only_statements("ledger_entries", op.get_bind().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("money is never migrated away: restore a backup instead")
