"""Accounts at issuers, and sign-ins through them that are on their way."""

import sqlalchemy as sa
from alembic import op

import hortus.core.db

revision = "0011"
down_revision = "0010"


def _id() -> sa.String:
    return sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql")


def _moment(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, hortus.core.db.Moment(timezone=True), nullable=nullable)


def _of_user(table: str, column: str = "user_id") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["users.id"], name=op.f(f"fk_{table}_{column}_users"))


def upgrade() -> None:
    op.create_table(
        "external_accounts",
        sa.Column("id", _id(), nullable=False),
        sa.Column("user_id", _id(), nullable=False),
        sa.Column("issuer", sa.String(length=300), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("granted_role", sa.String(length=10), nullable=True),
        _moment("created_at"),
        _moment("last_used_at"),
        _of_user("external_accounts"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_external_accounts")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_external_accounts_issuer_subject")),
    )
    op.create_index("ix_external_accounts_of_user", "external_accounts", ["user_id", "id"])
    op.create_table(
        "oidc_flows",
        sa.Column("state_digest", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("browser_digest", sa.String(length=64), nullable=False),
        sa.Column("challenge", sa.String(length=64), nullable=True),
        sa.Column("return_to", sa.String(length=500), nullable=False),
        sa.Column("accepts_terms", sa.Boolean(), nullable=False),
        sa.Column("link_user_id", _id(), nullable=True),
        sa.Column("link_session_id", _id(), nullable=True),
        _moment("created_at"),
        _moment("expires_at"),
        _moment("claimed_at", nullable=True),
        sa.Column("exchange_digest", sa.String(length=64), nullable=True),
        _moment("exchanged_at", nullable=True),
        sa.Column("user_id", _id(), nullable=True),
        sa.Column("issuer", sa.String(length=300), nullable=True),
        sa.Column("subject", sa.String(length=255), nullable=True),
        sa.Column("email", sa.String(length=320), nullable=True),
        _of_user("oidc_flows", "link_user_id"),
        _of_user("oidc_flows"),
        sa.PrimaryKeyConstraint("state_digest", name=op.f("pk_oidc_flows")),
        sa.UniqueConstraint("exchange_digest", name=op.f("uq_oidc_flows_exchange_digest")),
    )
    for column in ("link_user_id", "user_id", "expires_at"):
        op.create_index(op.f(f"ix_oidc_flows_{column}"), "oidc_flows", [column])


def downgrade() -> None:
    op.drop_table("oidc_flows")
    op.drop_table("external_accounts")
