"""Tables of consents, data exports and account deletions."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, id_type

_BUILDING, _OPEN = text("status = 'building'"), text("status IN ('pending', 'erasing')")


class ConsentRecord(Base):
    """One change of a consent, with the version of the text. Immutable except for erasure.

    `network` is the /24 or /48 of the client: enough for evidence, too coarse to identify a person.
    """

    __tablename__ = "consent_records"
    __table_args__ = (Index("ix_consent_records_of_user", "user_id", "kind", "id"),)

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(10))
    given: Mapped[bool]
    version: Mapped[str] = mapped_column(String(40))
    source: Mapped[str] = mapped_column(String(10))
    network: Mapped[str | None] = mapped_column(String(64))
    said_at: Mapped[datetime]


class DataExport(Base):
    """One archive of the data about a user. Its blob is stored as `exports/<id>`."""

    __tablename__ = "data_exports"
    __table_args__ = (
        CheckConstraint("status IN ('building', 'ready', 'failed', 'expired')", "status_is_known"),
        Index("ix_data_exports_of_user", "user_id", "id"),
        Index("uq_data_exports_building", "user_id", unique=True, postgresql_where=_BUILDING, sqlite_where=_BUILDING),
        Index("ix_data_exports_ending", "status", "expires_at"),
    )

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    status: Mapped[str] = mapped_column(String(10))
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]
    ready_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]


class AccountDeletion(Base):
    """A requested erasure. It is pending for the grace period, then erasing until it is complete."""

    __tablename__ = "account_deletions"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'cancelled', 'erasing', 'erased')", "status_is_known"),
        Index("uq_account_deletions_open", "user_id", unique=True, postgresql_where=_OPEN, sqlite_where=_OPEN),
        Index("ix_account_deletions_due", "erase_at", postgresql_where=_OPEN, sqlite_where=_OPEN),
    )

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    status: Mapped[str] = mapped_column(String(10))
    requested_at: Mapped[datetime]
    erase_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
