"""The initial schema, for SQLite and PostgreSQL.

One function per package, in the order in which foreign keys refer to tables. Revisions are numbered `r0001`, `r0002`
... in one chain; the number is the beginning of the file name.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from hortus.core.db import UtcDateTime, append_only_statements
from hortus.core.db.search import search_ddl

revision = "r0001"
down_revision = None

TIME = UtcDateTime(timezone=True)
ROOM_TO_UPDATE: dict[str, Any] = {"postgresql_with": {"fillfactor": 80}}  # so that updates stay on their page
APPEND_ONLY = ("audit_events", "invoices", "ledger_entries")
SEARCHABLE = ("chatrooms", "messages", "files", "generations")


def upgrade() -> None:
    core()
    tasks()
    accounts()
    otp()
    mfa()
    api_keys()
    oidc()
    passkeys()
    ledger()
    quotas()
    files()
    routing()
    generation()
    chat()
    sandbox_gateway()
    billing()
    invoicing()
    coupons()
    referrals()
    auto_topup()
    audit()
    admin_credits()
    privacy()
    dialect = op.get_context().dialect.name
    for table in APPEND_ONLY:
        for statement in append_only_statements(table, dialect):
            op.execute(statement)
    for table in SEARCHABLE:
        for statement in search_ddl(dialect, table):
            op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("the initial revision cannot be undone; drop the database or restore a backup")


def collated_c(length: int) -> sa.String:
    """A string that PostgreSQL, like SQLite, compares byte by byte."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def partial_index(name: str, table: str, columns: list[str], *, where: str, unique: bool = False) -> None:
    """An index on the rows that satisfy `where`."""
    condition: Any = sa.text(where)
    op.create_index(name, table, columns, unique=unique, postgresql_where=condition, sqlite_where=condition)


def core() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.String(80), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("response", sa.JSON(), nullable=True),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_expires_at", "idempotency_keys", ["expires_at"])
    op.create_table(
        "invariant_checks",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("checked_at", TIME, nullable=False),
        sa.Column("violations", sa.Integer(), nullable=False),
        sa.Column("checked", sa.Integer(), nullable=False),
        sa.Column("ms", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.String(80), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_invariant_checks")),
    )


def tasks() -> None:
    op.create_table(
        "task_schedules",
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("next_at", TIME, nullable=False),
        sa.Column("last_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_task_schedules")),
    )
    op.create_table(
        "task_workers",
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("slots", sa.JSON(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=True),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_task_workers")),
    )
    op.create_table(
        "tasks",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("queue", sa.String(20), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("fair_round", sa.Integer(), server_default="0", nullable=False),
        sa.Column("run_at", TIME, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lease_until", TIME, nullable=True),
        sa.Column("worker", sa.String(80), nullable=True),
        sa.Column("key", sa.String(120), nullable=True),
        sa.Column("user_id", collated_c(36), nullable=True),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("finished_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
    )
    partial_index("ix_tasks_dead", "tasks", ["id"], where="status = 'dead'")
    op.create_index("ix_tasks_ended", "tasks", ["status", "finished_at"])
    partial_index("ix_tasks_leased", "tasks", ["queue", "lease_until"], where="status = 'running'")
    partial_index(
        "ix_tasks_of_user", "tasks", ["user_id", "queue", "fair_round"], where="status IN ('queued', 'running')"
    )
    partial_index(
        "ix_tasks_to_claim", "tasks", ["queue", "priority", "fair_round", "run_at", "id"], where="status = 'queued'"
    )
    partial_index("uq_tasks_live_key", "tasks", ["key"], unique=True, where="status IN ('queued', 'running')")


def accounts() -> None:
    op.create_table(
        "setup_tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_setup_tokens")),
    )
    op.create_table(
        "login_throttle_buckets",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_login_throttle_buckets")),
    )
    op.create_index("ix_login_throttle_buckets_updated_at", "login_throttle_buckets", ["updated_at"])
    op.create_table(
        "users",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("name", sa.String(100), nullable=True),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("marketing_consent", sa.Boolean(), nullable=False),
        sa.Column("terms_accepted_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    partial_index("ix_users_not_active", "users", ["status", "id"], where="status <> 'active'")
    partial_index("ix_users_staff", "users", ["role", "id"], where="role <> 'user'")
    op.create_table(
        "devices",
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("network", sa.String(64), nullable=False),
        sa.Column("first_seen_at", TIME, nullable=False),
        sa.Column("last_seen_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_devices_user_id_users")),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_devices")),
    )
    op.create_index("ix_devices_last_seen_at", "devices", ["last_seen_at"])
    op.create_table(
        "identifiers",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("value", sa.String(320), nullable=False),
        sa.Column("verified_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_identifiers_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identifiers")),
        sa.UniqueConstraint("kind", "value", name=op.f("uq_identifiers_kind_value")),
    )
    op.create_index(
        "ix_identifiers_by_beginning", "identifiers", ["value"], postgresql_ops={"value": "varchar_pattern_ops"}
    )
    op.create_index("ix_identifiers_user_id", "identifiers", ["user_id"])
    op.create_table(
        "sessions",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("device", sa.String(200), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_used_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.Column("two_factors", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("authenticated_at", TIME, nullable=False),
        sa.Column("authenticated_by", sa.String(20), nullable=False),
        sa.Column("device_id", collated_c(36), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_of_user", "sessions", ["user_id", "id"])
    op.create_table(
        "refresh_tokens",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("session_id", collated_c(36), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=op.f("fk_refresh_tokens_session_id_sessions")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_refresh_tokens")),
    )
    op.create_index("ix_refresh_tokens_session_id", "refresh_tokens", ["session_id"])


def otp() -> None:
    op.create_table(
        "code_send_counts",
        sa.Column("key", sa.String(80), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("moments", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_code_send_counts")),
    )
    op.create_index("ix_code_send_counts_since", "code_send_counts", ["since"])
    op.create_table(
        "one_time_codes",
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("target", sa.String(320), nullable=False),
        sa.Column("subject", sa.String(36), nullable=False),
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=True),
        sa.Column("digest", sa.String(64), nullable=True),
        sa.Column("tries", sa.SmallInteger(), nullable=False),
        sa.Column("stray_tries", sa.SmallInteger(), nullable=False),
        sa.Column("requester_digest", sa.String(64), nullable=False),
        sa.Column("language", sa.String(5), nullable=False),
        sa.Column("pending", sa.Text(), nullable=True),
        sa.Column("sent_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("purpose", "kind", "target", "subject", name=op.f("pk_one_time_codes")),
        sa.UniqueConstraint("id", name=op.f("uq_one_time_codes_id")),
    )
    op.create_index("ix_one_time_codes_expires_at", "one_time_codes", ["expires_at"])
    op.create_table(
        "signup_bonus_claims",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("claimed_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_signup_bonus_claims")),
    )
    op.create_table(
        "wrong_codes",
        sa.Column("target", sa.String(64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.Column("notified_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("target", name=op.f("pk_wrong_codes")),
    )
    op.create_index("ix_wrong_codes_day", "wrong_codes", ["day"])
    op.create_table(
        "link_tokens",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("target", sa.String(320), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_link_tokens_user_id_users")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_link_tokens")),
    )
    op.create_index("ix_link_tokens_expires_at", "link_tokens", ["expires_at"])
    op.create_index("ix_link_tokens_user_id", "link_tokens", ["user_id"])


def mfa() -> None:
    op.create_table(
        "recovery_codes",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
        sa.UniqueConstraint("user_id", "digest", name=op.f("uq_recovery_codes_user_id_digest")),
    )
    op.create_table(
        "second_factor_challenges",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_second_factor_challenges_user_id_users")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_second_factor_challenges")),
    )
    op.create_index("ix_second_factor_challenges_expires_at", "second_factor_challenges", ["expires_at"])
    op.create_index("ix_second_factor_challenges_user_id", "second_factor_challenges", ["user_id"])
    op.create_table(
        "totp_factors",
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("sealed", sa.String(200), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("confirmed_at", TIME, nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("blocked_until", TIME, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_totp_factors_user_id_users")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_totp_factors")),
    )


def api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("prefix", sa.String(20), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("models", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("addresses", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("daily_calls", sa.BigInteger(), nullable=True),
        sa.Column("monthly_calls", sa.BigInteger(), nullable=True),
        sa.Column("daily_credits", sa.BigInteger(), nullable=True),
        sa.Column("monthly_credits", sa.BigInteger(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("expires_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("rotated_at", TIME, nullable=True),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.Column("last_used_at", TIME, nullable=True),
        sa.Column("last_used_address", sa.String(64), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_api_keys_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        **ROOM_TO_UPDATE,
    )
    op.create_index("ix_api_keys_ever_of_user", "api_keys", ["user_id", "id"])
    partial_index("ix_api_keys_of_user", "api_keys", ["user_id", "id"], where="revoked_at IS NULL")
    op.create_table(
        "api_key_secrets",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("key_id", collated_c(36), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_api_key_secrets_key_id_api_keys")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_api_key_secrets")),
    )
    op.create_index("ix_api_key_secrets_key_id", "api_key_secrets", ["key_id"])


def oidc() -> None:
    op.create_table(
        "external_accounts",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("issuer", sa.String(300), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("email", sa.String(320), nullable=True),
        sa.Column("granted_role", sa.String(10), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_used_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_external_accounts_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_external_accounts")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_external_accounts_issuer_subject")),
    )
    op.create_index("ix_external_accounts_of_user", "external_accounts", ["user_id", "id"])
    op.create_table(
        "oidc_flows",
        sa.Column("state_digest", sa.String(64), nullable=False),
        sa.Column("provider", sa.String(40), nullable=False),
        sa.Column("browser_digest", sa.String(64), nullable=False),
        sa.Column("challenge", sa.String(64), nullable=True),
        sa.Column("return_to", sa.String(500), nullable=False),
        sa.Column("accepts_terms", sa.Boolean(), nullable=False),
        sa.Column("link_user_id", collated_c(36), nullable=True),
        sa.Column("link_session_id", collated_c(36), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("claimed_at", TIME, nullable=True),
        sa.Column("exchange_digest", sa.String(64), nullable=True),
        sa.Column("exchanged_at", TIME, nullable=True),
        sa.Column("user_id", collated_c(36), nullable=True),
        sa.Column("issuer", sa.String(300), nullable=True),
        sa.Column("subject", sa.String(255), nullable=True),
        sa.Column("email", sa.String(320), nullable=True),
        sa.ForeignKeyConstraint(["link_user_id"], ["users.id"], name=op.f("fk_oidc_flows_link_user_id_users")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_oidc_flows_user_id_users")),
        sa.PrimaryKeyConstraint("state_digest", name=op.f("pk_oidc_flows")),
        sa.UniqueConstraint("exchange_digest", name=op.f("uq_oidc_flows_exchange_digest")),
    )
    op.create_index("ix_oidc_flows_expires_at", "oidc_flows", ["expires_at"])
    op.create_index("ix_oidc_flows_link_user_id", "oidc_flows", ["link_user_id"])
    op.create_index("ix_oidc_flows_user_id", "oidc_flows", ["user_id"])


def passkeys() -> None:
    op.create_table(
        "passkey_challenges",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("purpose", sa.String(12), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_passkey_challenges_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkey_challenges")),
        sa.UniqueConstraint("digest", name=op.f("uq_passkey_challenges_digest")),
    )
    op.create_index("ix_passkey_challenges_expires_at", "passkey_challenges", ["expires_at"])
    op.create_index("ix_passkey_challenges_user_id", "passkey_challenges", ["user_id"])
    op.create_table(
        "passkeys",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("credential_id", sa.String(1400), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("backed_up", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_used_at", TIME, nullable=True),
        sa.Column("regressed_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_passkeys_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkeys_credential_id")),
    )
    op.create_index("ix_passkeys_of_user", "passkeys", ["user_id", "id"])


def ledger() -> None:
    op.create_table(
        "credit_accounts",
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("debt", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("debt >= 0", name=op.f("ck_credit_accounts_debt_not_negative")),
        sa.CheckConstraint("held <= balance + debt", name=op.f("ck_credit_accounts_held_is_covered")),
        sa.CheckConstraint("held >= 0", name=op.f("ck_credit_accounts_held_not_negative")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_credit_accounts")),
        **ROOM_TO_UPDATE,
    )
    op.create_table(
        "credit_grants",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("reference", collated_c(120), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("expired", sa.BigInteger(), nullable=False),
        sa.Column("clawed_back", sa.BigInteger(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("expires_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
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
        **ROOM_TO_UPDATE,
    )
    partial_index("ix_credit_grants_expiring", "credit_grants", ["expires_at"], where="is_open")
    partial_index("ix_credit_grants_open", "credit_grants", ["user_id"], where="is_open")
    op.create_index("ix_credit_grants_user_id", "credit_grants", ["user_id"])
    op.create_table(
        "credit_reservations",
        sa.Column("reference", collated_c(120), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("settled_amount", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("closed_at", TIME, nullable=True),
        sa.CheckConstraint("(status = 'open') = (closed_at IS NULL)", name=op.f("ck_credit_reservations_closed_once")),
        sa.CheckConstraint(
            "status IN ('open', 'settled', 'released', 'expired')", name=op.f("ck_credit_reservations_status_is_known")
        ),
        sa.CheckConstraint(
            "amount >= 0 AND settled_amount >= 0 AND settled_amount <= amount",
            name=op.f("ck_credit_reservations_settled_fits"),
        ),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_credit_reservations")),
        **ROOM_TO_UPDATE,
    )
    partial_index("ix_credit_reservations_open", "credit_reservations", ["expires_at"], where="status = 'open'")
    op.create_table(
        "ledger_entries",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("account", collated_c(36), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("reference", collated_c(120), nullable=False),
        sa.Column("grant_id", collated_c(36), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_ledger_entries_amount_moves")),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["credit_grants.id"], name=op.f("fk_ledger_entries_grant_id_credit_grants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint("reference", "account", name=op.f("uq_ledger_entries_reference_account")),
    )
    op.create_index("ix_ledger_entries_account_id", "ledger_entries", ["account", "id"])
    op.create_table(
        "reservation_parts",
        sa.Column("reference", collated_c(120), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("grant_id", collated_c(36), nullable=False),
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


def quotas() -> None:
    op.create_table(
        "budget_uses",
        sa.Column("reference", collated_c(120), nullable=False),
        sa.Column("key_id", collated_c(36), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("status IN ('consumed', 'restored')", name=op.f("ck_budget_uses_status_is_known")),
        sa.CheckConstraint("calls >= 0", name=op.f("ck_budget_uses_calls_not_negative")),
        sa.CheckConstraint("credits >= 0", name=op.f("ck_budget_uses_credits_not_negative")),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_budget_uses")),
        **ROOM_TO_UPDATE,
    )
    op.create_table(
        "budget_usage",
        sa.Column("key_id", collated_c(36), nullable=False),
        sa.Column("window", collated_c(20), nullable=False),
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
        "plans",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("name", collated_c(20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(80), nullable=False),
        sa.Column("prices", sa.JSON(), nullable=False),
        sa.Column("yearly_prices", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("features", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("qualities", sa.JSON(), server_default='["economy", "balanced", "premium"]', nullable=False),
        sa.Column("trial_days", sa.Integer(), server_default="0", nullable=False),
        sa.Column("monthly_credits", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("defaults", sa.String(64), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("monthly_credits >= 0", name=op.f("ck_plans_credits_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_plans_name_version")),
    )
    op.create_table(
        "quota_uses",
        sa.Column("reference", collated_c(120), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("kind", collated_c(20), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("status IN ('consumed', 'restored')", name=op.f("ck_quota_uses_status_is_known")),
        sa.CheckConstraint("count >= 0", name=op.f("ck_quota_uses_count_not_negative")),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_quota_uses")),
        **ROOM_TO_UPDATE,
    )
    op.create_index("ix_quota_uses_user_id", "quota_uses", ["user_id"])
    op.create_table(
        "quota_usage",
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("kind", collated_c(20), nullable=False),
        sa.Column("window", collated_c(20), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.CheckConstraint("used >= 0", name=op.f("ck_quota_usage_used_not_negative")),
        sa.PrimaryKeyConstraint("user_id", "kind", "window", "starts_on", name=op.f("pk_quota_usage")),
        **ROOM_TO_UPDATE,
    )
    op.create_table(
        "user_plans",
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("plan_id", collated_c(36), nullable=False),
        sa.Column("until", TIME, nullable=True),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_user_plans_plan_id_plans")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_user_plans")),
    )
    op.create_index("ix_user_plans_plan_id", "user_plans", ["plan_id"])
    op.create_table(
        "plan_windows",
        sa.Column("plan_id", collated_c(36), nullable=False),
        sa.Column("kind", collated_c(20), nullable=False),
        sa.Column("window", collated_c(20), nullable=False),
        sa.Column("limit", sa.Integer(), nullable=True),
        sa.CheckConstraint('"limit" >= 0', name=op.f("ck_plan_windows_limit_not_negative")),
        sa.CheckConstraint("\"window\" IN ('day', 'month')", name=op.f("ck_plan_windows_window_is_known")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_plan_windows_plan_id_plans")),
        sa.PrimaryKeyConstraint("plan_id", "kind", "window", name=op.f("pk_plan_windows")),
    )


def files() -> None:
    op.create_table(
        "files",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("purpose", sa.String(10), nullable=False),
        sa.Column("generation_id", collated_c(36), nullable=True),
        sa.Column("filename", sa.String(120), nullable=False),
        sa.Column("mime_type", sa.String(60), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("scan", sa.String(12), nullable=False),
        sa.Column("storage_key", sa.String(120), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("accessed_count", sa.Integer(), nullable=False),
        sa.Column("last_accessed_at", TIME, nullable=True),
        sa.Column("deleted_at", TIME, nullable=True),
        sa.Column("swept_at", TIME, nullable=True),
        sa.Column("search", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_files")),
    )
    op.create_index("ix_files_of_user", "files", ["user_id", "id"])
    partial_index("ix_files_swept", "files", ["swept_at"], where="swept_at IS NOT NULL")
    partial_index("ix_files_to_sweep", "files", ["deleted_at"], where="deleted_at IS NOT NULL AND swept_at IS NULL")


def routing() -> None:
    op.create_table(
        "key_refusals",
        sa.Column("provider", sa.String(80), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("checked_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_key_refusals")),
    )
    op.create_table(
        "disabled_offers",
        sa.Column("provider", sa.String(80), nullable=False),
        sa.Column("model", sa.String(120), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.PrimaryKeyConstraint("provider", "model", name=op.f("pk_disabled_offers")),
    )


def generation() -> None:
    op.create_table(
        "generations",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("key_id", collated_c(36), nullable=True),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("operation", sa.String(40), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("quality", sa.String(10), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("route", sa.JSON(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("rates", sa.JSON(), nullable=True),
        sa.Column("charged", sa.BigInteger(), nullable=True),
        sa.Column("stop_requested_at", TIME, nullable=True),
        sa.Column("cost", sa.BigInteger(), nullable=True),
        sa.Column("cost_currency", sa.String(3), nullable=True),
        sa.Column("model", sa.String(80), nullable=False),
        sa.Column("provider", sa.String(80), nullable=True),
        sa.Column("job_provider", sa.String(80), nullable=True),
        sa.Column("job_model", sa.String(120), nullable=True),
        sa.Column("job_handle", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("outputs", sa.JSON(), nullable=False),
        sa.Column("usage", sa.JSON(), nullable=True),
        sa.Column("attempts", sa.JSON(), nullable=False),
        sa.Column("error_code", sa.String(40), nullable=True),
        sa.Column("retry_of", collated_c(36), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("started_at", TIME, nullable=True),
        sa.Column("finished_at", TIME, nullable=True),
        sa.Column("deleted_at", TIME, nullable=True),
        sa.Column("taken_down_at", TIME, nullable=True),
        sa.Column("withheld", sa.JSON(), nullable=True),
        sa.Column("search", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generations")),
    )
    op.create_index("ix_generations_by_kind", "generations", ["kind", "id"])
    partial_index("ix_generations_failed", "generations", ["id"], where="status = 'failed'")
    op.create_index("ix_generations_of_user", "generations", ["user_id", "id"])
    op.create_index("ix_generations_of_user_by_kind", "generations", ["user_id", "kind", "id"])
    partial_index("ix_generations_retries", "generations", ["retry_of"], where="retry_of IS NOT NULL")
    partial_index("ix_generations_taken_down", "generations", ["id"], where="taken_down_at IS NOT NULL")


def chat() -> None:
    op.create_table(
        "chatrooms",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("description", sa.String(2000), nullable=True),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("activity", collated_c(36), nullable=False),
        sa.Column("leaf_id", collated_c(36), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("deleted_at", TIME, nullable=True),
        sa.Column("search", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chatrooms")),
    )
    partial_index("ix_chatrooms_deleted", "chatrooms", ["deleted_at"], where="deleted_at IS NOT NULL")
    op.create_index("ix_chatrooms_of_user", "chatrooms", ["user_id", "activity"])
    op.create_table(
        "messages",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("room_id", collated_c(36), nullable=False),
        sa.Column("parent_id", collated_c(36), nullable=True),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("generation_id", collated_c(36), nullable=True),
        sa.Column("error_code", sa.String(40), nullable=True),
        sa.Column("waits_for", collated_c(36), nullable=True),
        sa.Column("request_id", sa.String(128), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("search", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["chatrooms.id"], name=op.f("fk_messages_room_id_chatrooms")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
    )
    op.create_index("ix_messages_of_room", "messages", ["room_id", "id"])
    partial_index("ix_messages_pending", "messages", ["room_id"], where="status = 'pending'")


def sandbox_gateway() -> None:
    op.create_table(
        "sandbox_events",
        sa.Column("id", sa.String(60), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("subject_kind", sa.String(20), nullable=False),
        sa.Column("subject_id", sa.String(60), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sandbox_events")),
    )
    op.create_index("ix_sandbox_events_created_at_id", "sandbox_events", ["created_at", "id"])
    op.create_table(
        "sandbox_objects",
        sa.Column("id", sa.String(60), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("parent", sa.String(60), nullable=True),
        sa.Column("key", sa.String(120), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("due_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sandbox_objects")),
        sa.UniqueConstraint("key", name=op.f("uq_sandbox_objects_key")),
    )
    op.create_index("ix_sandbox_objects_kind_due_at", "sandbox_objects", ["kind", "due_at"])
    op.create_index("ix_sandbox_objects_parent_kind", "sandbox_objects", ["parent", "kind"])


def billing() -> None:
    op.create_table(
        "low_balance_alerts",
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_low_balance_alerts")),
    )
    op.create_table(
        "credit_packs",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(80), nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("prices", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("defaults", sa.String(64), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("credits > 0", name=op.f("ck_credit_packs_credits_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_packs")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_credit_packs_name_version")),
    )
    op.create_table(
        "gateway_customers",
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("gateway", sa.String(40), nullable=False),
        sa.Column("external_id", collated_c(255), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "gateway", name=op.f("pk_gateway_customers")),
        sa.UniqueConstraint("gateway", "external_id", name=op.f("uq_gateway_customers_gateway_external_id")),
    )
    op.create_table(
        "webhook_events",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("gateway", sa.String(40), nullable=False),
        sa.Column("event_id", collated_c(255), nullable=False),
        sa.Column("kind", sa.String(120), nullable=False),
        sa.Column("subject_kind", sa.String(20), nullable=True),
        sa.Column("subject_id", collated_c(255), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("failure", sa.String(300), nullable=True),
        sa.Column("occurred_at", TIME, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("processed_at", TIME, nullable=True),
        sa.CheckConstraint(
            "status IN ('pending', 'processed', 'ignored', 'failed')", name=op.f("ck_webhook_events_status_is_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_events")),
        sa.UniqueConstraint("gateway", "event_id", name=op.f("uq_webhook_events_gateway_event_id")),
    )
    op.create_index("ix_webhook_events_status_id", "webhook_events", ["status", "id"])
    partial_index("ix_webhook_events_with_body", "webhook_events", ["id"], where="body IS NOT NULL")
    op.create_table(
        "checkouts",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("gateway", sa.String(40), nullable=False),
        sa.Column("external_id", collated_c(255), nullable=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("title", sa.String(120), nullable=False),
        sa.Column("plan_id", collated_c(36), nullable=True),
        sa.Column("interval", sa.String(10), nullable=True),
        sa.Column("pack_id", collated_c(36), nullable=True),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("discount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("trial_days", sa.Integer(), nullable=False),
        sa.Column("coupon_id", collated_c(36), nullable=True),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("order", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("closed_at", TIME, nullable=True),
        sa.CheckConstraint("kind IN ('subscription', 'topup', 'auto_topup')", name=op.f("ck_checkouts_kind_is_known")),
        sa.CheckConstraint("status IN ('new', 'open', 'paid', 'expired')", name=op.f("ck_checkouts_status_is_known")),
        sa.CheckConstraint(
            "amount_minor >= 0 AND discount_minor >= 0 AND credits >= 0", name=op.f("ck_checkouts_amounts_not_negative")
        ),
        sa.ForeignKeyConstraint(["pack_id"], ["credit_packs.id"], name=op.f("fk_checkouts_pack_id_credit_packs")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_checkouts_plan_id_plans")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkouts")),
        sa.UniqueConstraint("gateway", "external_id", name=op.f("uq_checkouts_gateway_external_id")),
    )
    op.create_index("ix_checkouts_user_id_id", "checkouts", ["user_id", "id"])
    partial_index("ix_checkouts_waiting", "checkouts", ["created_at"], where="status IN ('new', 'open')")
    op.create_table(
        "gateway_prices",
        sa.Column("gateway", sa.String(40), nullable=False),
        sa.Column("plan_id", collated_c(36), nullable=False),
        sa.Column("interval", sa.String(10), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("external_id", collated_c(255), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_gateway_prices_plan_id_plans")),
        sa.PrimaryKeyConstraint("gateway", "plan_id", "interval", "currency", name=op.f("pk_gateway_prices")),
        sa.UniqueConstraint("gateway", "external_id", name=op.f("uq_gateway_prices_gateway_external_id")),
    )
    op.create_table(
        "subscriptions",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("gateway", sa.String(40), nullable=False),
        sa.Column("external_id", collated_c(255), nullable=False),
        sa.Column("checkout_id", collated_c(36), nullable=True),
        sa.Column("plan_id", collated_c(36), nullable=False),
        sa.Column("interval", sa.String(10), nullable=False),
        sa.Column("next_plan_id", collated_c(36), nullable=True),
        sa.Column("next_interval", sa.String(10), nullable=True),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("period_start", TIME, nullable=False),
        sa.Column("period_end", TIME, nullable=False),
        sa.Column("paid_until", TIME, nullable=False),
        sa.Column("trial_end", TIME, nullable=True),
        sa.Column("cancels_at_period_end", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("synced_at", TIME, nullable=False),
        sa.CheckConstraint(
            "status IN ('trialing', 'active', 'past_due', 'ended', 'duplicate')",
            name=op.f("ck_subscriptions_status_is_known"),
        ),
        sa.ForeignKeyConstraint(["checkout_id"], ["checkouts.id"], name=op.f("fk_subscriptions_checkout_id_checkouts")),
        sa.ForeignKeyConstraint(["next_plan_id"], ["plans.id"], name=op.f("fk_subscriptions_next_plan_id_plans")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_subscriptions_plan_id_plans")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
        sa.UniqueConstraint("gateway", "external_id", name=op.f("uq_subscriptions_gateway_external_id")),
    )
    op.create_index("ix_subscriptions_created_at", "subscriptions", ["created_at"])
    op.create_index("ix_subscriptions_ended_at", "subscriptions", ["ended_at"])
    partial_index(
        "ix_subscriptions_renewing",
        "subscriptions",
        ["period_end"],
        where="status IN ('trialing', 'active', 'past_due')",
    )
    op.create_index("ix_subscriptions_user_id_id", "subscriptions", ["user_id", "id"])
    partial_index(
        "uq_subscriptions_live",
        "subscriptions",
        ["user_id"],
        unique=True,
        where="status IN ('trialing', 'active', 'past_due')",
    )
    op.create_table(
        "failed_payments",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("gateway", sa.String(40), nullable=False),
        sa.Column("external_id", collated_c(255), nullable=False),
        sa.Column("checkout_id", collated_c(36), nullable=True),
        sa.Column("subscription_id", collated_c(36), nullable=True),
        sa.Column("reason", sa.String(80), nullable=False),
        sa.Column("failed_at", TIME, nullable=False),
        sa.Column("retry_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["checkout_id"], ["checkouts.id"], name=op.f("fk_failed_payments_checkout_id_checkouts")
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("fk_failed_payments_subscription_id_subscriptions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failed_payments")),
        sa.UniqueConstraint("gateway", "external_id", name=op.f("uq_failed_payments_gateway_external_id")),
    )
    op.create_index("ix_failed_payments_user_id_id", "failed_payments", ["user_id", "id"])
    op.create_table(
        "payments",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=True),
        sa.Column("gateway", sa.String(40), nullable=False),
        sa.Column("external_id", collated_c(255), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("title", sa.String(120), nullable=False),
        sa.Column("checkout_id", collated_c(36), nullable=True),
        sa.Column("subscription_id", collated_c(36), nullable=True),
        sa.Column("plan_id", collated_c(36), nullable=True),
        sa.Column("interval", sa.String(10), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("method", sa.String(40), nullable=True),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("period_start", TIME, nullable=True),
        sa.Column("period_end", TIME, nullable=True),
        sa.Column("refunded_minor", sa.BigInteger(), nullable=False),
        sa.Column("disputed_minor", sa.BigInteger(), nullable=False),
        sa.Column("clawback_due", sa.BigInteger(), nullable=False),
        sa.Column("clawback_taken", sa.BigInteger(), nullable=False),
        sa.Column("restore_count", sa.Integer(), nullable=False),
        sa.Column("paid_at", TIME, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint(
            "kind IN ('subscription', 'change', 'topup', 'auto_topup', 'unmatched')",
            name=op.f("ck_payments_kind_is_known"),
        ),
        sa.CheckConstraint("0 <= clawback_due AND clawback_due <= credits", name=op.f("ck_payments_clawback_fits")),
        sa.CheckConstraint(
            "0 <= refunded_minor AND 0 <= disputed_minor", name=op.f("ck_payments_amounts_not_negative")
        ),
        sa.ForeignKeyConstraint(["checkout_id"], ["checkouts.id"], name=op.f("fk_payments_checkout_id_checkouts")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_payments_plan_id_plans")),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("fk_payments_subscription_id_subscriptions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("gateway", "external_id", name=op.f("uq_payments_gateway_external_id")),
    )
    op.create_index("ix_payments_by_external_id", "payments", ["external_id", "id"])
    partial_index("ix_payments_covering", "payments", ["period_end"], where="kind = 'subscription'")
    partial_index("ix_payments_disputed", "payments", ["id"], where="disputed_minor > 0")
    op.create_index("ix_payments_paid_at", "payments", ["paid_at"])
    partial_index("ix_payments_refunded", "payments", ["id"], where="refunded_minor > 0")
    op.create_index("ix_payments_subscription_id_id", "payments", ["subscription_id", "id"])
    partial_index("ix_payments_unmatched", "payments", ["id"], where="kind = 'unmatched'")
    op.create_index("ix_payments_user_id_id", "payments", ["user_id", "id"])
    op.create_index("ix_payments_user_id_paid_at", "payments", ["user_id", "paid_at"])
    op.create_table(
        "disputes",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("payment_id", collated_c(36), nullable=False),
        sa.Column("gateway", sa.String(40), nullable=False),
        sa.Column("external_id", collated_c(255), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.CheckConstraint("status IN ('open', 'won', 'lost')", name=op.f("ck_disputes_status_is_known")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_disputes_payment_id_payments")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disputes")),
        sa.UniqueConstraint("gateway", "external_id", name=op.f("uq_disputes_gateway_external_id")),
    )
    op.create_index("ix_disputes_opened_at", "disputes", ["opened_at"])
    op.create_index("ix_disputes_payment_id", "disputes", ["payment_id"])
    op.create_table(
        "refunds",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("payment_id", collated_c(36), nullable=False),
        sa.Column("gateway", sa.String(40), nullable=False),
        sa.Column("external_id", collated_c(255), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("refunded_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_refunds_payment_id_payments")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("gateway", "external_id", name=op.f("uq_refunds_gateway_external_id")),
    )
    op.create_index("ix_refunds_payment_id", "refunds", ["payment_id"])
    op.create_index("ix_refunds_refunded_at", "refunds", ["refunded_at"])


def invoicing() -> None:
    op.create_table(
        "billing_details",
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("address", sa.String(500), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("state", sa.String(80), nullable=False),
        sa.Column("gstin", sa.String(15), nullable=True),
        sa.Column("vat_id", sa.String(20), nullable=True),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_billing_details")),
    )
    op.create_table(
        "invoice_series",
        sa.Column("series", collated_c(20), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("series", name=op.f("pk_invoice_series")),
    )
    op.create_table(
        "invoices",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("series", collated_c(20), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.String(40), nullable=False),
        sa.Column("sandbox", sa.Boolean(), nullable=False),
        sa.Column("payment_id", collated_c(36), nullable=False),
        sa.Column("refund_id", collated_c(36), nullable=True),
        sa.Column("dispute_id", collated_c(36), nullable=True),
        sa.Column("corrects_id", collated_c(36), nullable=True),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("tax_minor", sa.BigInteger(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("treatment", sa.String(20), nullable=False),
        sa.Column("taxes", sa.JSON(), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("seller", sa.JSON(), nullable=False),
        sa.Column("buyer", sa.JSON(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("issued_at", TIME, nullable=False),
        sa.CheckConstraint(
            "(kind = 'credit_note') = (corrects_id IS NOT NULL)", name=op.f("ck_invoices_notes_correct")
        ),
        sa.CheckConstraint("kind IN ('invoice', 'credit_note')", name=op.f("ck_invoices_kind_is_known")),
        sa.CheckConstraint("net_minor + tax_minor = total_minor", name=op.f("ck_invoices_parts_fit")),
        sa.CheckConstraint(
            "net_minor >= 0 AND tax_minor >= 0 AND total_minor > 0", name=op.f("ck_invoices_amounts_positive")
        ),
        sa.ForeignKeyConstraint(["corrects_id"], ["invoices.id"], name=op.f("fk_invoices_corrects_id_invoices")),
        sa.ForeignKeyConstraint(["dispute_id"], ["disputes.id"], name=op.f("fk_invoices_dispute_id_disputes")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_invoices_payment_id_payments")),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name=op.f("fk_invoices_refund_id_refunds")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoices")),
        sa.UniqueConstraint("dispute_id", name=op.f("uq_invoices_dispute_id")),
        sa.UniqueConstraint("refund_id", name=op.f("uq_invoices_refund_id")),
        sa.UniqueConstraint("series", "position", name=op.f("uq_invoices_series_position")),
    )
    op.create_index("ix_invoices_corrects_id", "invoices", ["corrects_id"])
    op.create_index("ix_invoices_payment_id", "invoices", ["payment_id"])
    op.create_index("ix_invoices_user_id_id", "invoices", ["user_id", "id"])
    op.create_index("ix_invoices_user_id_issued_at", "invoices", ["user_id", "issued_at"])
    partial_index("uq_invoices_of_payment", "invoices", ["payment_id"], unique=True, where="kind = 'invoice'")


def coupons() -> None:
    op.create_table(
        "coupons",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("digest", collated_c(64), nullable=False),
        sa.Column("hint", sa.String(4), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(3), nullable=True),
        sa.Column("credits", sa.BigInteger(), nullable=True),
        sa.Column("credit_days", sa.Integer(), nullable=True),
        sa.Column("plan", sa.String(20), nullable=True),
        sa.Column("pack", sa.String(20), nullable=True),
        sa.Column("limit_total", sa.Integer(), nullable=True),
        sa.Column("limit_per_user", sa.Integer(), nullable=True),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.Column("starts_at", TIME, nullable=True),
        sa.Column("ends_at", TIME, nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint(
            "(kind = 'percent' AND percent BETWEEN 1 AND 100) OR "
            "(kind = 'amount' AND amount_minor > 0 AND currency IS NOT NULL) OR (kind = 'credit' AND credits > 0)",
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
        sa.Column("coupon_id", collated_c(36), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.CheckConstraint("taken >= 0", name=op.f("ck_coupon_holders_taken_not_negative")),
        sa.ForeignKeyConstraint(["coupon_id"], ["coupons.id"], name=op.f("fk_coupon_holders_coupon_id_coupons")),
        sa.PrimaryKeyConstraint("coupon_id", "user_id", name=op.f("pk_coupon_holders")),
    )
    op.create_table(
        "coupon_redemptions",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("coupon_id", collated_c(36), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("checkout_id", collated_c(36), nullable=True),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("closed_at", TIME, nullable=True),
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
    op.create_index("ix_coupon_redemptions_coupon_id_id", "coupon_redemptions", ["coupon_id", "id"])
    op.create_index("ix_coupon_redemptions_user_id_id", "coupon_redemptions", ["user_id", "id"])


def referrals() -> None:
    op.create_table(
        "referral_codes",
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("code", sa.String(12), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_referral_codes")),
        sa.UniqueConstraint("code", name=op.f("uq_referral_codes_code")),
    )
    op.create_table(
        "referrals",
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("referrer_id", collated_c(36), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("payment_id", collated_c(36), nullable=True),
        sa.Column("reward", sa.BigInteger(), nullable=False),
        sa.Column("welcome", sa.BigInteger(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("rewarded_at", TIME, nullable=True),
        sa.CheckConstraint(
            "status IN ('pending', 'rewarded', 'clawed_back', 'void')", name=op.f("ck_referrals_status_is_known")
        ),
        sa.CheckConstraint("user_id <> referrer_id", name=op.f("ck_referrals_not_self_referred")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_referrals_payment_id_payments")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_referrals")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_referrals_payment_id")),
    )
    op.create_index("ix_referrals_referrer_id_status", "referrals", ["referrer_id", "status"])


def auto_topup() -> None:
    op.create_table(
        "auto_topups",
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("pack", sa.String(20), nullable=False),
        sa.Column("gateway", sa.String(40), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("below", sa.BigInteger(), nullable=False),
        sa.Column("monthly_cap_minor", sa.BigInteger(), nullable=False),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("spent_minor", sa.BigInteger(), nullable=False),
        sa.Column("hour_started", TIME, nullable=False),
        sa.Column("hour_count", sa.Integer(), nullable=False),
        sa.Column("checkout_id", collated_c(36), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_at", TIME, nullable=False),
        sa.Column("stopped", sa.String(20), nullable=True),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint(
            "below > 0 AND monthly_cap_minor > 0 AND spent_minor >= 0", name=op.f("ck_auto_topups_amounts_make_sense")
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_auto_topups")),
    )
    partial_index("ix_auto_topups_watched", "auto_topups", ["user_id"], where="enabled OR checkout_id IS NOT NULL")


def audit() -> None:
    op.create_table(
        "audit_events",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor_id", collated_c(36), nullable=True),
        sa.Column("actor_role", sa.String(10), nullable=False),
        sa.Column("action", sa.String(60), nullable=False),
        sa.Column("target_kind", sa.String(20), nullable=False),
        sa.Column("target_id", sa.String(200), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("note_digest", sa.String(64), nullable=True),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit_events")),
    )
    op.create_index("ix_audit_events_of_action", "audit_events", ["action", "position"])
    op.create_index("ix_audit_events_of_actor", "audit_events", ["actor_id", "position"])
    op.create_index("ix_audit_events_of_target", "audit_events", ["target_id", "position"])
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "audit_notes",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("salt", sa.String(32), nullable=False),
        sa.Column("text", sa.String(500), nullable=False),
        sa.ForeignKeyConstraint(
            ["position"], ["audit_events.position"], name=op.f("fk_audit_notes_position_audit_events")
        ),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit_notes")),
    )
    head = sa.table("audit_head", sa.column("id"), sa.column("position"), sa.column("digest"))
    op.bulk_insert(head, [{"id": 1, "position": 0, "digest": "0" * 64}])


def admin_credits() -> None:
    op.create_table(
        "credit_requests",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("asked_by", collated_c(36), nullable=False),
        sa.Column("decided_by", collated_c(36), nullable=True),
        sa.Column("expires_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("decided_at", TIME, nullable=True),
        sa.CheckConstraint(
            "decided_by IS NULL OR decided_by <> asked_by OR status = 'rejected'",
            name=op.f("ck_credit_requests_two_people"),
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'granted', 'rejected', 'reversed')", name=op.f("ck_credit_requests_status_is_known")
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_credit_requests_amount_is_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_requests")),
    )
    op.create_index("ix_credit_requests_by_status", "credit_requests", ["status", "id"])
    op.create_index("ix_credit_requests_of_asker", "credit_requests", ["asked_by", "created_at"])
    op.create_index("ix_credit_requests_of_user", "credit_requests", ["user_id", "id"])


def privacy() -> None:
    op.create_table(
        "account_deletions",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("erase_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.CheckConstraint(
            "status IN ('pending', 'cancelled', 'erasing', 'erased')", name=op.f("ck_account_deletions_status_is_known")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_account_deletions_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_deletions")),
    )
    partial_index(
        "ix_account_deletions_due", "account_deletions", ["erase_at"], where="status IN ('pending', 'erasing')"
    )
    partial_index(
        "uq_account_deletions_open",
        "account_deletions",
        ["user_id"],
        unique=True,
        where="status IN ('pending', 'erasing')",
    )
    op.create_table(
        "consent_records",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("version", sa.String(40), nullable=False),
        sa.Column("source", sa.String(10), nullable=False),
        sa.Column("network", sa.String(64), nullable=True),
        sa.Column("said_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_consent_records_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_records")),
    )
    op.create_index("ix_consent_records_of_user", "consent_records", ["user_id", "kind", "id"])
    op.create_table(
        "data_exports",
        sa.Column("id", collated_c(36), nullable=False),
        sa.Column("user_id", collated_c(36), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(64), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("ready_at", TIME, nullable=True),
        sa.Column("expires_at", TIME, nullable=False),
        sa.CheckConstraint(
            "status IN ('building', 'ready', 'failed', 'expired')", name=op.f("ck_data_exports_status_is_known")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_data_exports_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_exports")),
    )
    op.create_index("ix_data_exports_ending", "data_exports", ["status", "expires_at"])
    op.create_index("ix_data_exports_of_user", "data_exports", ["user_id", "id"])
    partial_index("uq_data_exports_building", "data_exports", ["user_id"], unique=True, where="status = 'building'")
