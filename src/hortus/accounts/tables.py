"""Tables of users, identifiers, sessions, devices and refresh tokens. Secrets are stored as digests."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, id_type

SIGN_IN_STATUSES = ("active", "closing")
"""Statuses in which a user may sign in. Signing in reopens a closing account; a `deleted` account is final."""
_STAFF, _NOT_ACTIVE = text("role <> 'user'"), text("status <> 'active'")


class User(Base):
    """A user. Their e-mail addresses and mobile numbers are `identifiers`."""

    __tablename__ = "users"
    __table_args__ = (
        # Partial indexes; SQLite uses them if a statement repeats the condition literally.
        Index("ix_users_staff", "role", "id", postgresql_where=_STAFF, sqlite_where=_STAFF),
        Index("ix_users_not_active", "status", "id", postgresql_where=_NOT_ACTIVE, sqlite_where=_NOT_ACTIVE),
    )

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    name: Mapped[str | None] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(10))
    status: Mapped[str] = mapped_column(String(10))
    password_hash: Mapped[str | None] = mapped_column(Text)
    marketing_consent: Mapped[bool]
    terms_accepted_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Identifier(Base):
    """An e-mail address or mobile number of a user; verified or not."""

    __tablename__ = "identifiers"
    __table_args__ = (
        UniqueConstraint("kind", "value"),
        Index("ix_identifiers_by_beginning", "value", postgresql_ops={"value": "varchar_pattern_ops"}),
    )

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    value: Mapped[str] = mapped_column(String(320))
    verified_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class Session(Base):
    """A signed-in device. Revoking it ends its access tokens and refresh tokens alike."""

    __tablename__ = "sessions"
    __table_args__ = (Index("ix_sessions_of_user", "user_id", "id"),)

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    device: Mapped[str] = mapped_column(String(200))
    address: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    two_factors: Mapped[bool] = mapped_column(server_default=false())
    """Whether the session was authenticated with two factors, or with a passkey, which counts as both."""
    authenticated_at: Mapped[datetime]
    authenticated_by: Mapped[str] = mapped_column(String(20))
    device_id: Mapped[str | None] = mapped_column(id_type())


class Device(Base):
    """A device on which a user has signed in. Its id is stored in a signed cookie and is not secret."""

    __tablename__ = "devices"
    __table_args__ = (Index(None, "last_seen_at"),)

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    network: Mapped[str] = mapped_column(String(64))
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]


class RefreshToken(Base):
    """A refresh token of a session, by digest. It is used once, at `used_at`."""

    __tablename__ = "refresh_tokens"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id"), index=True)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SetupToken(Base):
    """The one-time right to become the first administrator."""

    __tablename__ = "setup_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    used_at: Mapped[datetime | None]


class SignupBonusClaim(Base):
    """A person who claimed the sign-up bonus, as a keyed digest of their address or number. Outlives the user."""

    __tablename__ = "signup_bonus_claims"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    claimed_at: Mapped[datetime]
