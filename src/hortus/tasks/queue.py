"""Enqueue, claim, renew, finish: every change to a task row, by the database's clock."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import CursorResult, and_, case, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from hortus.core import clock, context, ids
from hortus.core.db import Tx, db_now
from hortus.core.errors import NotFound
from hortus.core.paging import Paging, newest_first
from hortus.core.resources import Resources
from hortus.tasks.kinds import Claimed, Kind, LeaseLost, Periodic, registry
from hortus.tasks.tables import Task, TaskSchedule

Doorbell = Callable[[str], None]
_doorbells: set[Doorbell] = set()


class TaskNotFound(NotFound):
    """There is no such dead letter."""

    code = "task_not_found"
    detail = "There is no dead letter of that id."


@dataclass(frozen=True, slots=True)
class Wanted:
    """A task to enqueue; `delay` in seconds. With a `key` that is live already, nothing is added."""

    kind: Kind
    payload: dict[str, Any]
    key: str | None = None
    delay: float = 0.0
    priority: int = 0
    user_id: str | None = None
    request_id: str | None = None


def listen(doorbell: Doorbell) -> None:
    """Call `doorbell(queue)` after each commit of this process that enqueued something."""
    _doorbells.add(doorbell)


def unlisten(doorbell: Doorbell) -> None:
    """Stop calling."""
    _doorbells.discard(doorbell)


def _ring(queues: set[str]) -> None:
    for doorbell in tuple(_doorbells):
        for queue in queues:
            doorbell(queue)


async def enqueue(tx: Tx, kind: Kind, payload: dict[str, Any], **options: Any) -> None:
    """Add one task in the caller's transaction; the options are those of `Wanted`."""
    await enqueue_many(tx, [Wanted(kind, payload, **options)])


async def enqueue_many(tx: Tx, wanted: Sequence[Wanted]) -> None:
    """Add tasks in the caller's transaction. They exist if it commits; engines here are told then."""
    if not wanted:
        return
    insert_into = postgresql.insert if tx.dialect == "postgresql" else sqlite.insert
    statement = insert_into(Task).on_conflict_do_nothing()
    for delay in {each.delay for each in wanted}:
        rows = [_row_of(each) for each in wanted if each.delay == delay]
        await tx.execute(statement.values(run_at=db_now(delay)) if len(rows) == 1 else statement, *_with(rows, delay))
    queues: set[str] = {each.kind.queue for each in wanted}
    tx.after_commit(lambda: _ring(queues))


def _with(rows: list[dict[str, Any]], delay: float) -> tuple[Any, ...]:
    if len(rows) == 1:
        return (rows[0],)
    # Many rows at once cannot each bear an expression; a claim compares with the database's clock,
    # so the start of the epoch is "now" for every host.
    moment = clock.now() if delay else clock.EPOCH
    return ([{**row, "run_at": clock.plus(moment, delay)} for row in rows],)


def _row_of(each: Wanted) -> dict[str, Any]:
    return {
        "id": ids.new(),
        "name": each.kind.name,
        "queue": each.kind.queue,
        "payload": each.payload,
        "status": "queued",
        "priority": each.priority,
        "attempts": 0,
        "max_attempts": each.kind.attempts,
        "fence": 0,
        "key": each.key,
        "user_id": each.user_id,
        "request_id": each.request_id or context.request_id.get(),
        "created_at": clock.now(),
    }


async def claim_now(tx: Tx, wanted: Sequence[Wanted], *, worker: str, lease: float) -> list[Claimed]:
    """Add tasks that this process works on at once; if it dies, another one takes them over."""
    if not wanted:
        return []
    leased = {"status": "running", "attempts": 1, "fence": 1, "worker": worker}
    rows = [{**_row_of(each), **leased} for each in wanted]
    await tx.execute(insert(Task).values(run_at=db_now(), lease_until=db_now(lease)), rows)
    return [
        Claimed(row["id"], row["name"], row["payload"], 1, row["max_attempts"], 1, row["request_id"]) for row in rows
    ]


async def anything_due(tx: Tx, queues: Sequence[str]) -> bool:
    """A cheap look, without a lock, whether `claim` would find something."""
    return bool((await tx.execute(select(_due(queues).limit(1).exists()))).scalar_one())


def _due(queues: Sequence[str]) -> Any:
    waiting = and_(Task.status == "queued", Task.queue.in_(queues), Task.run_at <= db_now())
    lost = and_(Task.status == "running", Task.queue.in_(queues), Task.lease_until < db_now())
    return select(Task.id).where(or_(waiting, lost))


async def claim(tx: Tx, queue: str, room: int, *, worker: str, lease: float) -> list[Claimed]:
    """Take up to `room` due tasks of a queue, and those whose lease ran out, for `lease` seconds."""
    # A named query runs exactly once; as a mere subquery PostgreSQL may run it again and lock more than `room`.
    due = (
        _due([queue])
        .order_by(Task.priority.desc(), Task.run_at, Task.id)
        .limit(room)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    statement = (
        update(Task)
        .where(Task.id.in_(select(due.c.id)))
        .values(
            status="running",
            # A task that was dead-lettered in vain is not counted further.
            attempts=case((Task.attempts < Task.max_attempts + 1, Task.attempts + 1), else_=Task.attempts),
            fence=Task.fence + 1,
            lease_until=db_now(lease),
            worker=worker,
        )
        .returning(Task.id, Task.name, Task.payload, Task.attempts, Task.max_attempts, Task.fence, Task.request_id)
        .execution_options(synchronize_session=False)
    )
    return [Claimed(*row) for row in (await tx.execute(statement)).all()]


async def renew(tx: Tx, held: Sequence[Claimed], lease: float) -> set[str]:
    """Extend the leases still ours; the ids of those that are."""
    statement = (
        update(Task)
        .where(tuple_(Task.id, Task.fence).in_([(task.id, task.fence) for task in held]), Task.status == "running")
        .values(lease_until=db_now(lease))
        .returning(Task.id)
        .execution_options(synchronize_session=False)
    )
    return set((await tx.execute(statement)).scalars())


async def finish(tx: Tx, task: Claimed) -> None:
    """Mark the task as done in the transaction of its effects. Raises LeaseLost, which must roll them back.

    Finishing again within the same lease is fine.
    """
    await _close(tx, task, status="done", finished_at=db_now(), lease_until=None)


async def _close(tx: Tx, task: Claimed, **values: Any) -> None:
    mine = and_(Task.id == task.id, Task.fence == task.fence, Task.status == "running")
    statement = update(Task).where(mine).values(**values).execution_options(synchronize_session=False)
    if cast("CursorResult[Any]", await tx.execute(statement)).rowcount != 1:
        raise LeaseLost(task.name)


async def is_open(tx: Tx, task: Claimed) -> bool:
    """Whether the task still runs under this lease."""
    mine = select(Task.id).where(Task.id == task.id, Task.fence == task.fence, Task.status == "running")
    return (await tx.execute(mine)).first() is not None


async def ended_well(tx: Tx, task: Claimed) -> bool:
    """Whether the task was closed under this very lease, rather than taken over."""
    query = select(Task.id).where(Task.id == task.id, Task.fence == task.fence, Task.status != "running")
    return (await tx.execute(query)).first() is not None


async def put_back(tx: Tx, task: Claimed, *, error: str | None, delay: float, counted: bool = True) -> None:
    """Queue the task again after `delay` seconds. Raises LeaseLost."""
    values: dict[str, Any] = {"status": "queued", "run_at": db_now(delay), "lease_until": None, "error": error}
    if not counted:
        values["attempts"] = Task.attempts - 1
    await _close(tx, task, **values)


async def bury(tx: Tx, resources: Resources, task: Claimed, error: str) -> None:
    """Dead-letter the task and let its kind settle its affairs in the same transaction. Raises LeaseLost."""
    await _close(tx, task, status="dead", finished_at=db_now(), lease_until=None, error=error[:2000])
    kind = registry.kinds.get(task.name)
    if kind is not None and kind.on_dead is not None:
        await kind.on_dead(tx, resources, task)


def backoff(kind: Kind, attempt: int) -> float:
    """Seconds before the next attempt: exponential with full jitter, so that failures spread out."""
    longest: float = min(kind.longest_backoff, kind.backoff * 2 ** (attempt - 1))
    return random.uniform(0.5, 1.0) * longest  # noqa: S311 - jitter, not secrecy


async def enqueue_due(tx: Tx, periodic: Sequence[Periodic]) -> list[str]:
    """Enqueue each periodic task whose time has come and move it on; two schedulers enqueue once."""
    insert_into = postgresql.insert if tx.dialect == "postgresql" else sqlite.insert
    due = []
    for each in periodic:
        name = each.kind.name
        first = insert_into(TaskSchedule).values(name=name, next_at=db_now(each.seconds), last_at=db_now())
        moved = first.on_conflict_do_update(
            index_elements=["name"],
            set_={"next_at": db_now(each.seconds), "last_at": db_now()},
            where=TaskSchedule.next_at <= db_now(),
        ).returning(TaskSchedule.name)
        if (await tx.execute(moved)).first() is not None:
            await enqueue(tx, each.kind, {}, key=f"periodic:{name}")
            due.append(name)
    return due


async def schedule_is_due(tx: Tx, periodic: Sequence[Periodic]) -> bool:
    """A cheap look whether `enqueue_due` would do something."""
    names = [each.kind.name for each in periodic]
    waiting = select(func.count()).where(TaskSchedule.name.in_(names), TaskSchedule.next_at > db_now())
    return int((await tx.execute(waiting)).scalar_one()) < len(names)


async def counts(tx: Tx) -> list[dict[str, Any]]:
    """Live tasks and dead letters by queue and status, with the birth of the oldest."""
    query = (
        select(Task.queue, Task.status, func.count(), func.min(Task.created_at))
        .where(Task.status.in_(("queued", "running", "dead")))
        .group_by(Task.queue, Task.status)
    )
    return [
        {"queue": queue, "status": status, "count": count, "oldest": oldest}
        for queue, status, count, oldest in (await tx.execute(query)).all()
    ]


async def dead_letters(tx: Tx, paging: Paging) -> Sequence[Task]:
    """Dead letters, newest first, one more than the page."""
    query = select(Task).where(Task.status == "dead")
    return (await tx.execute(newest_first(query, paging, Task.id))).scalars().all()


async def requeue(tx: Tx, task_id: str) -> None:
    """Give a dead letter all its attempts again. Raises TaskNotFound."""
    found = (await tx.execute(select(Task).where(Task.id == task_id, Task.status == "dead"))).scalar_one_or_none()
    if found is None:
        raise TaskNotFound
    found.status, found.attempts, found.finished_at, found.run_at = "queued", 0, None, clock.EPOCH
    await tx.flush()
    queue = found.queue
    tx.after_commit(lambda: _ring({queue}))


async def sweep(tx: Tx, *, older_than: float = 86400.0, limit: int = 2000) -> int:
    """Delete up to `limit` done tasks older than that many seconds; dead letters stay."""
    old = select(Task.id).where(Task.status == "done", Task.finished_at < db_now(-older_than)).limit(limit)
    result = await tx.execute(delete(Task).where(Task.id.in_(old)).execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", result).rowcount
