"""API keys: what each may do, and digests of the secrets that open it."""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, id_type

STANDING = text("revoked_at IS NULL")


class ApiKey(Base):
    """One key of a user. A null list or budget does not limit; a revoked key keeps its row for the record."""

    __tablename__ = "api_keys"
    __table_args__ = (
        Index("ix_api_keys_of_user", "user_id", "id", postgresql_where=STANDING, sqlite_where=STANDING),
        Index("ix_api_keys_ever_of_user", "user_id", "id"),
        {"postgresql_with": {"fillfactor": 80}},
    )

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(100))
    prefix: Mapped[str] = mapped_column(String(20))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    models: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    addresses: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    daily_calls: Mapped[int | None] = mapped_column(BigInteger)
    monthly_calls: Mapped[int | None] = mapped_column(BigInteger)
    daily_credits: Mapped[int | None] = mapped_column(BigInteger)
    monthly_credits: Mapped[int | None] = mapped_column(BigInteger)
    enabled: Mapped[bool]
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    rotated_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    last_used_address: Mapped[str | None] = mapped_column(String(64))


class ApiKeySecret(Base):
    """A secret that opens a key, by digest. The current one has no end; one that was rotated away has."""

    __tablename__ = "api_key_secrets"
    __table_args__ = (Index(None, "key_id"),)

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(ForeignKey(ApiKey.id))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
