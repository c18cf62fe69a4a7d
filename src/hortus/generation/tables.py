"""The table of generations: one row per paid request."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ColumnElement, Index, String, Text, case, func, text
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, id_type
from hortus.core.db.search import Searchable

LIVE = ("queued", "running")
_FAILED, _TAKEN_DOWN = text("status = 'failed'"), text("taken_down_at IS NOT NULL")
_RETRY = text("retry_of IS NOT NULL")
BY_USAGE = ("text", "chat")
"""The kinds that are charged by usage, and whose customers receive a part of them before the end."""
ENDED = ("succeeded", "failed", "cancelled")


class Generation(Searchable, Base):
    """The request, the frozen route and price, and the result."""

    __tablename__ = "generations"
    __table_args__ = (
        Index("ix_generations_of_user", "user_id", "id"),
        Index("ix_generations_of_user_by_kind", "user_id", "kind", "id"),
        Index("ix_generations_by_kind", "kind", "id"),
        Index("ix_generations_retries", "retry_of", postgresql_where=_RETRY, sqlite_where=_RETRY),
        Index("ix_generations_failed", "id", postgresql_where=_FAILED, sqlite_where=_FAILED),
        Index("ix_generations_taken_down", "id", postgresql_where=_TAKEN_DOWN, sqlite_where=_TAKEN_DOWN),
    )

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    user_id: Mapped[str] = mapped_column(id_type())
    key_id: Mapped[str | None] = mapped_column(id_type())
    """The API key of the request; the price counts against its budgets."""
    kind: Mapped[str] = mapped_column(String(10))
    operation: Mapped[str] = mapped_column(String(40))
    status: Mapped[str] = mapped_column(String(10))
    progress: Mapped[int]
    quality: Mapped[str] = mapped_column(String(10))
    prompt: Mapped[str] = mapped_column(Text)
    params: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The parameters of the request as checked at acceptance; `run` needs nothing else."""
    route: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """The ordered offers frozen at acceptance: model, provider, vendor's model."""

    price: Mapped[int] = mapped_column(BigInteger)
    """Micro-credits, frozen at acceptance: held until the end, and the most that is charged."""
    rates: Mapped[dict[str, int] | None] = mapped_column(JSON)
    """The price list of the quoted model, frozen at acceptance, where the kind is charged by usage."""
    charged: Mapped[int | None] = mapped_column(BigInteger)
    """Micro-credits that were charged at the end; null while it is live."""
    stop_requested_at: Mapped[datetime | None]
    """When the owner stopped running text. The process that runs it ends it and settles what was delivered."""
    cost: Mapped[int | None] = mapped_column(BigInteger)
    """The charge of the vendor, in millionths of `cost_currency`."""
    cost_currency: Mapped[str | None] = mapped_column(String(3))

    model: Mapped[str] = mapped_column(String(80))
    provider: Mapped[str | None] = mapped_column(String(80))
    job_provider: Mapped[str | None] = mapped_column(String(80))
    job_model: Mapped[str | None] = mapped_column(String(120))
    job_handle: Mapped[str | None] = mapped_column(Text)
    """The vendor's id of the job that was bought; polled again after a crash, never bought twice."""

    text: Mapped[str | None] = mapped_column(Text)
    outputs: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    usage: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    attempts: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    error_code: Mapped[str | None] = mapped_column(String(40))

    retry_of: Mapped[str | None] = mapped_column(id_type())
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    taken_down_at: Mapped[datetime | None]
    withheld: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """The text and outputs of a generation that an administrator took down. No customer sees them."""


def charged_of() -> ColumnElement[int]:
    """What was charged for a generation; for rows without `charged`, the price where it succeeded."""
    return func.coalesce(Generation.charged, case((Generation.status == "succeeded", Generation.price), else_=0))
