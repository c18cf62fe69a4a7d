"""Length, latency and expired leases of each queue, counted up to a bound so that the cost does not grow."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, literal, select, union_all

from hortus.core.db import Tx, db_now
from hortus.tasks.tables import DEAD, QUEUED, RUNNING, Task

MAX_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class QueueStats:
    """One queue. Numbers are exact up to `MAX_COUNTED`."""

    queue: str
    waiting: int
    """Tasks that could be claimed now."""
    oldest_age_s: float
    """Age of the task that has waited longest, in seconds."""
    expired_leases: int
    """Running tasks whose lease has expired."""


async def queue_stats(tx: Tx, queues: Sequence[str]) -> list[QueueStats]:
    """Every queue, in that order."""
    selects = []
    for queue in queues:
        waiting = (
            select(Task.run_at, Task.created_at)
            .where(Task.status == QUEUED, Task.queue == queue, Task.run_at <= db_now())
            .order_by(Task.priority, Task.fair_round, Task.run_at, Task.id)
            .limit(MAX_COUNTED)
            .subquery()
        )
        expired = (
            select(Task.id)
            .where(Task.status == RUNNING, Task.queue == queue, Task.lease_until < db_now())
            .limit(MAX_COUNTED)
            .subquery()
        )
        number = select(func.count()).select_from(expired).scalar_subquery()
        # A task without a delay is due since the epoch: its wait begins when it is created.
        since = (
            func.max(waiting.c.run_at, waiting.c.created_at)
            if tx.dialect == "sqlite"
            else func.greatest(waiting.c.run_at, waiting.c.created_at)
        )
        selects.append(select(literal(queue), func.count(), func.min(since), db_now(), number).select_from(waiting))
    rows = (await tx.execute(union_all(*selects))).all()
    return [QueueStats(queue, count, _seconds(oldest, now), expired) for queue, count, oldest, now, expired in rows]


async def count_dead_letters(tx: Tx) -> int:
    """The number of dead letters, counted up to `MAX_COUNTED`."""
    dead = select(Task.id).where(Task.status == DEAD).limit(MAX_COUNTED).subquery()
    return int((await tx.execute(select(func.count()).select_from(dead))).scalar_one())


def _seconds(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since is not None else 0.0
