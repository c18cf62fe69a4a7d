"""Codes that were sent, links that were sent, and the counts that bound both."""

from datetime import date, datetime

from sqlalchemy import JSON, ForeignKey, Index, SmallInteger, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, id_type


class OneTimeCode(Base):
    """The newest code of one purpose for one target: a newer one takes its place.

    `digest` is set when the message is written; it stays empty when there is nobody to write to. `subject` is the
    user who adds an identifier, and empty otherwise. `pending` is what a sign-up said about the user to be.
    """

    __tablename__ = "one_time_codes"
    __table_args__ = (Index("ix_one_time_codes_expires_at", "expires_at"),)

    purpose: Mapped[str] = mapped_column(String(20), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    target: Mapped[str] = mapped_column(String(320), primary_key=True)
    subject: Mapped[str] = mapped_column(String(36), primary_key=True)
    id: Mapped[str] = mapped_column(id_type(), unique=True)
    user_id: Mapped[str | None] = mapped_column(id_type())
    digest: Mapped[str | None] = mapped_column(String(64))
    tries: Mapped[int] = mapped_column(SmallInteger)
    stray_tries: Mapped[int] = mapped_column(SmallInteger)
    asked_by: Mapped[str] = mapped_column(String(64))
    language: Mapped[str] = mapped_column(String(5))
    pending: Mapped[str | None] = mapped_column(Text)
    sent_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class LinkToken(Base):
    """A link in a mail, by digest. Used once."""

    __tablename__ = "link_tokens"
    __table_args__ = (Index("ix_link_tokens_expires_at", "expires_at"),)

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(20))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    target: Mapped[str] = mapped_column(String(320))
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SendCount(Base):
    """How many messages or tries a cap has counted since `since`. Caps per hour keep each moment (Unix time)."""

    __tablename__ = "code_send_counts"
    __table_args__ = (Index("ix_code_send_counts_since", "since"),)

    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    since: Mapped[datetime]
    sent: Mapped[int]
    moments: Mapped[list[float] | None] = mapped_column(JSON)


class WrongCodes(Base):
    """How many wrong codes came for a target on a day, and whether its owner was told."""

    __tablename__ = "wrong_codes"
    __table_args__ = (Index("ix_wrong_codes_day", "day"),)

    target: Mapped[str] = mapped_column(String(64), primary_key=True)
    day: Mapped[date]
    wrong: Mapped[int]
    told_at: Mapped[datetime | None]


class Welcomed(Base):
    """Whoever was given the welcome credit, by a keyed digest of their address or number. Outlives the user."""

    __tablename__ = "welcomed"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    welcomed_at: Mapped[datetime]
