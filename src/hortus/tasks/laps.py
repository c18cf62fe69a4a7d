"""Fair shares: a user's hundredth task waits behind another user's first.

Every task is given a lap, as on a race track, when it is enqueued (start-time fair queueing): one after the
user's last live task in that queue, or the lap being served now, whichever is later. Claims go by lap, so sharing
fairly costs them nothing.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, literal, null, select, union_all

from hortus.core.db import Tx
from hortus.tasks.tables import QUEUED, RUNNING, Task


async def take(tx: Tx, wanted: Sequence[tuple[str, str | None]]) -> list[int]:
    """The lap of each (queue, user), in order. What belongs to no user is served next."""
    queues = sorted({queue for queue, _ in wanted})
    users = sorted({user for _, user in wanted if user is not None})
    looks: list[Select[*tuple[Any, ...]]] = [_served(queue) for queue in queues]
    if users:
        looks.append(
            select(Task.queue, Task.user_id, func.max(Task.lap))
            .where(Task.status.in_((QUEUED, RUNNING)), Task.user_id.in_(users), Task.queue.in_(queues))
            .group_by(Task.queue, Task.user_id)
        )
    found = (await tx.execute(union_all(*looks) if len(looks) > 1 else looks[0])).all()
    last = {(queue, user): lap for queue, user, lap in found}
    given = []
    for queue, user in wanted:
        lap = last[queue, None]
        if user is not None:
            lap = max(lap, last.get((queue, user), -1) + 1)
            last[queue, user] = lap
        given.append(lap)
    return given


def _served(queue: str) -> Select[*tuple[Any, ...]]:
    """The latest lap that runs; while nothing runs, the one to be served next."""
    running = select(func.max(Task.lap)).where(Task.status == RUNNING, Task.queue == queue).scalar_subquery()
    following = (
        select(Task.lap)
        .where(Task.status == QUEUED, Task.queue == queue)
        .order_by(Task.priority, Task.lap)
        .limit(1)
        .scalar_subquery()
    )
    return select(literal(queue), null(), func.coalesce(running, following, 0))
