"""Fair sharing between users: a user's hundredth task waits behind another user's first.

Start-time fair queueing: every task gets a round when it is enqueued, one after the user's last live task in
that queue, or the round being served now, whichever is later. Claims are ordered by round, so fairness costs
them nothing.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, literal, null, select, union_all

from hortus.core.db import Tx
from hortus.tasks.tables import QUEUED, RUNNING, Task


async def assign_rounds(tx: Tx, queues_and_users: Sequence[tuple[str, str | None]]) -> list[int]:
    """The round of each (queue, user), in order. Tasks without a user join the round being served."""
    queues = sorted({queue for queue, _ in queues_and_users})
    users = sorted({user for _, user in queues_and_users if user is not None})
    selects: list[Select[*tuple[Any, ...]]] = [_current_round(queue) for queue in queues]
    if users:
        selects.append(
            select(Task.queue, Task.user_id, func.max(Task.fair_round))
            .where(Task.status.in_((QUEUED, RUNNING)), Task.user_id.in_(users), Task.queue.in_(queues))
            .group_by(Task.queue, Task.user_id)
        )
    found = (await tx.execute(union_all(*selects) if len(selects) > 1 else selects[0])).all()
    last = {(queue, user): fair_round for queue, user, fair_round in found}
    assigned = []
    for queue, user in queues_and_users:
        fair_round = last[queue, None]
        if user is not None:
            fair_round = max(fair_round, last.get((queue, user), -1) + 1)
            last[queue, user] = fair_round
        assigned.append(fair_round)
    return assigned


def _current_round(queue: str) -> Select[*tuple[Any, ...]]:
    """The latest round with a running task; while none runs, the round to be served next."""
    running = select(func.max(Task.fair_round)).where(Task.status == RUNNING, Task.queue == queue).scalar_subquery()
    following = (
        select(Task.fair_round)
        .where(Task.status == QUEUED, Task.queue == queue)
        .order_by(Task.priority, Task.fair_round)
        .limit(1)
        .scalar_subquery()
    )
    return select(literal(queue), null(), func.coalesce(running, following, 0))
