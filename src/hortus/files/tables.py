"""Files: uploads of customers and outputs of generations."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, id_type
from hortus.core.db.search import Searchable

_DELETED = text("deleted_at IS NOT NULL AND swept_at IS NULL")
_SWEPT = text("swept_at IS NOT NULL")


class File(Searchable, Base):
    """One stored file. Its blob is in storage under `storage_key`."""

    __tablename__ = "files"
    __table_args__ = (
        Index("ix_files_of_user", "user_id", "id"),
        Index("ix_files_to_sweep", "deleted_at", postgresql_where=_DELETED, sqlite_where=_DELETED),
        Index("ix_files_swept", "swept_at", postgresql_where=_SWEPT, sqlite_where=_SWEPT),
    )

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    user_id: Mapped[str] = mapped_column(id_type())
    purpose: Mapped[str] = mapped_column(String(10))
    generation_id: Mapped[str | None] = mapped_column(id_type())
    filename: Mapped[str] = mapped_column(String(120))
    mime_type: Mapped[str] = mapped_column(String(60))
    bytes: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int | None]
    height: Mapped[int | None]
    duration_ms: Mapped[int | None]
    sha256: Mapped[str] = mapped_column(String(64))
    scan: Mapped[str] = mapped_column(String(12))
    storage_key: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[datetime]
    accessed_count: Mapped[int]
    last_accessed_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    swept_at: Mapped[datetime | None]
