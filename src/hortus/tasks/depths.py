"""How much waits, and for how long: cheap whatever the backlog, since nothing is counted beyond a bound."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, literal, select, union_all

from hortus.core.db import Tx, db_now
from hortus.tasks.tables import DEAD, QUEUED, RUNNING, Task

AT_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Depth:
    """One queue. Numbers are exact up to `AT_MOST`."""

    queue: str
    waiting: int
    """Tasks that could be claimed now."""
    oldest: float
    """Seconds for which the longest waiting of them waits."""
    lost: int
    """Running tasks whose worker let the lease run out."""


async def depths(tx: Tx, queues: Sequence[str]) -> list[Depth]:
    """Every queue, in that order."""
    looks = []
    for queue in queues:
        waiting = (
            select(Task.run_at, Task.created_at)
            .where(Task.status == QUEUED, Task.queue == queue, Task.run_at <= db_now())
            .order_by(Task.priority, Task.lap, Task.run_at, Task.id)
            .limit(AT_MOST)
            .subquery()
        )
        lost = (
            select(Task.id)
            .where(Task.status == RUNNING, Task.queue == queue, Task.lease_until < db_now())
            .limit(AT_MOST)
            .subquery()
        )
        number = select(func.count()).select_from(lost).scalar_subquery()
        # Tasks wanted "at once" are due since the epoch: they wait since they were made.
        since = (
            func.max(waiting.c.run_at, waiting.c.created_at)
            if tx.dialect == "sqlite"
            else func.greatest(waiting.c.run_at, waiting.c.created_at)
        )
        looks.append(select(literal(queue), func.count(), func.min(since), db_now(), number).select_from(waiting))
    rows = (await tx.execute(union_all(*looks))).all()
    return [Depth(queue, count, _seconds(oldest, now), lost) for queue, count, oldest, now, lost in rows]


async def dead(tx: Tx) -> int:
    """How many dead letters lie there, counted up to `AT_MOST`."""
    lying = select(Task.id).where(Task.status == DEAD).limit(AT_MOST).subquery()
    return int((await tx.execute(select(func.count()).select_from(lying))).scalar_one())


def _seconds(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since is not None else 0.0
