"""Tables of the sandbox. They contain no personal data."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base


class SandboxObject(Base):
    """A price, checkout, subscription, payment, refund or dispute. `key` makes its creation idempotent."""

    __tablename__ = "sandbox_objects"
    __table_args__ = (Index(None, "parent", "kind"), Index(None, "kind", "due_at"))

    id: Mapped[str] = mapped_column(String(60), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    parent: Mapped[str | None] = mapped_column(String(60))
    key: Mapped[str | None] = mapped_column(String(120), unique=True)
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    due_at: Mapped[datetime | None]
    """When the object is processed next, such as the renewal of a subscription."""
    created_at: Mapped[datetime]


class SandboxEvent(Base):
    """An event whose webhook was sent or is pending."""

    __tablename__ = "sandbox_events"
    __table_args__ = (Index(None, "created_at", "id"),)

    id: Mapped[str] = mapped_column(String(60), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    subject_kind: Mapped[str] = mapped_column(String(20))
    subject_id: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime]
