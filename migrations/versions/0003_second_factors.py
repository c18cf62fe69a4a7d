"""Second factors and passkeys; a session knows whether two factors were proved on it."""

import sqlalchemy as sa
from alembic import op

import hortus.core.db

revision = "0003"
down_revision = "0002"


def _id() -> sa.String:
    return sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql")


def _moment(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, hortus.core.db.Moment(timezone=True), nullable=nullable)


def _of_user(table: str, *, nullable: bool = False) -> tuple[sa.Column, sa.ForeignKeyConstraint]:
    name = op.f(f"fk_{table}_user_id_users")
    return sa.Column("user_id", _id(), nullable=nullable), sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=name)


def upgrade() -> None:
    op.add_column("sessions", sa.Column("two_factors", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "totp_factors",
        *_of_user("totp_factors"),
        sa.Column("sealed", sa.String(length=200), nullable=False),
        _moment("created_at"),
        _moment("confirmed_at", nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        _moment("blocked_until", nullable=True),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_totp_factors")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("id", _id(), nullable=False),
        *_of_user("recovery_codes"),
        sa.Column("digest", sa.String(length=64), nullable=False),
        _moment("created_at"),
        _moment("used_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
        sa.UniqueConstraint("user_id", "digest", name=op.f("uq_recovery_codes_user_id_digest")),
    )
    op.create_table(
        "second_factor_challenges",
        sa.Column("digest", sa.String(length=64), nullable=False),
        *_of_user("second_factor_challenges"),
        sa.Column("tries", sa.Integer(), nullable=False),
        _moment("created_at"),
        _moment("expires_at"),
        _moment("used_at", nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_second_factor_challenges")),
    )
    op.create_table(
        "passkeys",
        sa.Column("id", _id(), nullable=False),
        *_of_user("passkeys"),
        sa.Column("credential_id", sa.String(length=1400), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("backed_up", sa.Boolean(), nullable=False),
        _moment("created_at"),
        _moment("last_used_at", nullable=True),
        _moment("regressed_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkeys_credential_id")),
    )
    op.create_index("ix_passkeys_of_user", "passkeys", ["user_id", "id"])
    op.create_table(
        "passkey_challenges",
        sa.Column("id", _id(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=12), nullable=False),
        *_of_user("passkey_challenges", nullable=True),
        _moment("created_at"),
        _moment("expires_at"),
        _moment("used_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkey_challenges")),
        sa.UniqueConstraint("digest", name=op.f("uq_passkey_challenges_digest")),
    )
    for table in ("second_factor_challenges", "passkey_challenges"):
        op.create_index(op.f(f"ix_{table}_user_id"), table, ["user_id"])
        op.create_index(op.f(f"ix_{table}_expires_at"), table, ["expires_at"])


def downgrade() -> None:
    for table in ("passkey_challenges", "passkeys", "second_factor_challenges", "recovery_codes", "totp_factors"):
        op.drop_table(table)
    with op.batch_alter_table("sessions") as batch_op:
        batch_op.drop_column("two_factors")
