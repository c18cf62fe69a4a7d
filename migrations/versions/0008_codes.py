"""One-time codes, links in mails, and the counts that bound them."""

import sqlalchemy as sa
from alembic import op

import hortus.core.db

revision = "0008"
down_revision = "0007"

ID = sa.String(length=36).with_variant(sa.String(length=36, collation="C"), "postgresql")
MOMENT = hortus.core.db.Moment(timezone=True)


def upgrade() -> None:
    op.create_table(
        "one_time_codes",
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("target", sa.String(length=320), nullable=False),
        sa.Column("subject", sa.String(length=36), nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("tries", sa.SmallInteger(), nullable=False),
        sa.Column("stray_tries", sa.SmallInteger(), nullable=False),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("pending", sa.Text(), nullable=True),
        sa.Column("sent_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("purpose", "kind", "target", "subject", name=op.f("pk_one_time_codes")),
        sa.UniqueConstraint("id", name=op.f("uq_one_time_codes_id")),
    )
    op.create_index("ix_one_time_codes_expires_at", "one_time_codes", ["expires_at"])
    op.create_table(
        "link_tokens",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("target", sa.String(length=320), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_link_tokens_user_id_users")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_link_tokens")),
    )
    op.create_index(op.f("ix_link_tokens_user_id"), "link_tokens", ["user_id"])
    op.create_index("ix_link_tokens_expires_at", "link_tokens", ["expires_at"])
    op.create_table(
        "code_send_counts",
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_code_send_counts")),
    )
    op.create_index("ix_code_send_counts_since", "code_send_counts", ["since"])
    op.create_table(
        "wrong_codes",
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.Column("told_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("target", name=op.f("pk_wrong_codes")),
    )
    op.create_index("ix_wrong_codes_day", "wrong_codes", ["day"])
    op.create_table(
        "welcomed",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("welcomed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_welcomed")),
    )


def downgrade() -> None:
    raise NotImplementedError("money is never migrated away: restore a backup instead")
