"""Tables of core: idempotency keys and the outcomes of checks."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base


class IdempotencyRecord(Base):
    """An idempotency key with the response to its first request."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "expires_at"),)

    scope: Mapped[str] = mapped_column(String(80), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    response: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    expires_at: Mapped[datetime]


class InvariantCheck(Base):
    """The last result of each invariant check."""

    __tablename__ = "invariant_checks"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    checked_at: Mapped[datetime]
    violations: Mapped[int]
    checked: Mapped[int]
    ms: Mapped[int]
    cursor: Mapped[str] = mapped_column(String(80))
    """Where the next run of a check that runs in parts begins; empty at the start."""
