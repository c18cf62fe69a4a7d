"""Passkeys (WebAuthn credentials) and the challenges that ask for them."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, id_type


class Passkey(Base):
    """A public key whose private half lives on a user's device.

    `credential_id` is the authenticator's own name of it, in base64url. `regressed_at` tells when a signature
    came with a counter that went backwards: the sign of a copied device.
    """

    __tablename__ = "passkeys"
    __table_args__ = (Index("ix_passkeys_of_user", "user_id", "id"),)

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    credential_id: Mapped[str] = mapped_column(String(1400), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(String(100))
    backed_up: Mapped[bool]
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    regressed_at: Mapped[datetime | None]


class PasskeyChallenge(Base):
    """What an authenticator was asked to sign, by digest. Used once; `user_id` is empty while nobody is known."""

    __tablename__ = "passkey_challenges"

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    purpose: Mapped[str] = mapped_column(String(12))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
