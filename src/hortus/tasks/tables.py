"""Tables of the task queue. The row is authoritative; engines are only notified."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ColumnElement, Index, String, Text, literal_column, text
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, id_type

_QUEUED, _RUNNING, _DEAD, _LIVE = (
    text(f"status {test}") for test in ("= 'queued'", "= 'running'", "= 'dead'", "IN ('queued', 'running')")
)


# Literals: SQLite uses a partial index only where the statement repeats its condition word by word.
QUEUED: ColumnElement[str] = literal_column("'queued'")
RUNNING: ColumnElement[str] = literal_column("'running'")
DEAD: ColumnElement[str] = literal_column("'dead'")


class Task(Base):
    """One task. `fence` is a fencing token: it grows with every claim. Claims are ordered by `fair_round`."""

    __tablename__ = "tasks"
    __table_args__ = (
        Index(
            "ix_tasks_to_claim",
            "queue",
            "priority",
            "fair_round",
            "run_at",
            "id",
            postgresql_where=_QUEUED,
            sqlite_where=_QUEUED,
        ),
        Index("ix_tasks_leased", "queue", "lease_until", postgresql_where=_RUNNING, sqlite_where=_RUNNING),
        Index("ix_tasks_of_user", "user_id", "queue", "fair_round", postgresql_where=_LIVE, sqlite_where=_LIVE),
        Index("uq_tasks_live_key", "key", unique=True, postgresql_where=_LIVE, sqlite_where=_LIVE),
        Index("ix_tasks_dead", "id", postgresql_where=_DEAD, sqlite_where=_DEAD),
        Index("ix_tasks_ended", "status", "finished_at"),
    )

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    queue: Mapped[str] = mapped_column(String(20))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    status: Mapped[str] = mapped_column(String(10))
    priority: Mapped[int]
    fair_round: Mapped[int] = mapped_column(default=0, server_default="0")
    run_at: Mapped[datetime]
    attempts: Mapped[int]
    max_attempts: Mapped[int]
    fence: Mapped[int]
    lease_until: Mapped[datetime | None]
    worker: Mapped[str | None] = mapped_column(String(80))
    key: Mapped[str | None] = mapped_column(String(120))
    user_id: Mapped[str | None] = mapped_column(id_type())
    request_id: Mapped[str] = mapped_column(String(128))
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class TaskSchedule(Base):
    """The next run of a periodic task; the transaction that advances `next_at` enqueues it."""

    __tablename__ = "task_schedules"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    next_at: Mapped[datetime]
    last_at: Mapped[datetime | None]


class Worker(Base):
    """A process that serves requests or runs tasks: its last heartbeat, slots and shared settings."""

    __tablename__ = "task_workers"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    slots: Mapped[dict[str, int]] = mapped_column(JSON)
    settings: Mapped[dict[str, str] | None] = mapped_column(JSON)
    running: Mapped[int]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
