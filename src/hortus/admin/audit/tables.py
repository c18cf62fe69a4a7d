"""What administrators did, in a chain that nobody rewrites unseen."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, append_only, id_type


class AuditEvent(Base):
    """One deed. `digest` covers every other column and the digest before it; no row is ever changed.

    People appear by their ids alone: erasing a user needs no change here. `note_digest` binds the reason that
    was given, which lies in `audit_notes`.
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_of_actor", "actor_id", "position"),
        Index("ix_audit_events_of_target", "target_id", "position"),
        Index("ix_audit_events_of_action", "action", "position"),
    )

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor_id: Mapped[str | None] = mapped_column(id_type())
    actor_role: Mapped[str] = mapped_column(String(10))
    action: Mapped[str] = mapped_column(String(60))
    target_kind: Mapped[str] = mapped_column(String(20))
    target_id: Mapped[str | None] = mapped_column(String(200))
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    note_digest: Mapped[str | None] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(String(128))
    previous: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))


class AuditHead(Base):
    """The end of the chain: one row, whose lock is the right to append."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))


class AuditNote(Base):
    """The reason an administrator wrote. It may speak of a person, so it can be erased; the chain still holds.

    The salt goes with it, so that nobody finds out by guessing what an erased note said.
    """

    __tablename__ = "audit_notes"

    position: Mapped[int] = mapped_column(ForeignKey(AuditEvent.position), primary_key=True, autoincrement=False)
    salt: Mapped[str] = mapped_column(String(32))
    text: Mapped[str] = mapped_column(String(500))


append_only(AuditEvent.__table__)  # type: ignore[arg-type]
