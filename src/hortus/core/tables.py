"""Rows of the core itself."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base


class IdempotencyRecord(Base):
    """The first answer to a request that may come again."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "expires_at"),)

    scope: Mapped[str] = mapped_column(String(80), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    expires_at: Mapped[datetime]


class Proof(Base):
    """The last time an invariant was looked at, and what came of it; one row per proof."""

    __tablename__ = "proofs"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    proved_at: Mapped[datetime]
    broken: Mapped[int]
    checked: Mapped[int]
    ms: Mapped[int]
    reached: Mapped[str] = mapped_column(String(80))
    """How far a proof in stretches has come; empty when it begins anew."""
