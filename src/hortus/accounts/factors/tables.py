"""Second factors: the shared secret of an authenticator app, recovery codes, and sign-ins that wait for one."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, id_type


class TotpFactor(Base):
    """The authenticator app of a user. Active once `confirmed_at` is set.

    `sealed` is the secret, encrypted and bound to the user. `last_step` is the newest time step whose code
    was used: it and older ones are refused. `failures` counts wrong tries since the last right one.
    """

    __tablename__ = "totp_factors"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    sealed: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int | None] = mapped_column(BigInteger)
    failures: Mapped[int]
    blocked_until: Mapped[datetime | None]


class RecoveryCode(Base):
    """A code that replaces the authenticator app once. Kept as a keyed hash."""

    __tablename__ = "recovery_codes"
    __table_args__ = (UniqueConstraint("user_id", "digest"),)

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SecondFactorChallenge(Base):
    """A sign-in whose first proof was good and whose second is awaited. Kept by digest, used once."""

    __tablename__ = "second_factor_challenges"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    tries: Mapped[int]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
