"""Tables of the audit log: a hash chain of events, so that later changes are detected."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, append_only, id_type


class AuditEvent(Base):
    """One action of an administrator. `digest` covers all other columns and the previous digest; rows are immutable.

    Rows contain user ids only, no personal data, so erasing a user changes nothing here. `note_digest` covers the
    reason, which is stored in `audit_notes`.
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
    """End of the chain: one row. Its lock serialises appends."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))


class AuditNote(Base):
    """The reason an administrator gave. It may contain personal data, so it can be erased; the chain stays valid.

    The salt is erased with it, so that the text cannot be guessed from its digest.
    """

    __tablename__ = "audit_notes"

    position: Mapped[int] = mapped_column(ForeignKey(AuditEvent.position), primary_key=True, autoincrement=False)
    salt: Mapped[str] = mapped_column(String(32))
    text: Mapped[str] = mapped_column(String(500))


append_only(AuditEvent.__table__)  # type: ignore[arg-type]
