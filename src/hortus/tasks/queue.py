"""The task queue: enqueue, claim, renew, finish, reschedule and dead-letter rows, by the database's clock."""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    CursorResult,
    Double,
    Executable,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
    update,
)

from hortus.core import clock, context, ids
from hortus.core.db import Tx, db_now
from hortus.core.db.bulk import BulkStatement, bulk_insert
from hortus.core.db.compiled_select import Executor, PreparedSelect
from hortus.core.resources import Resources
from hortus.tasks import fair_share
from hortus.tasks.registry import TASK_TYPES, ClaimedTask, LeaseLost, Periodic, TaskType
from hortus.tasks.tables import QUEUED, RUNNING, Task, TaskSchedule

Subscriber = Callable[[str, Sequence[str]], None]
_subscribers: set[Subscriber] = set()
KEPT_SECONDS = 7 * 86400.0
"""Seconds for which dead letters are kept of task types whose dead letters are deleted at all."""


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task to enqueue; `delay` in seconds; the lower `priority`, the sooner.

    If a live task has the same `key`, nothing is added. Tasks with a `user_id` are shared fairly between users.
    """

    task_type: TaskType
    payload: dict[str, Any]
    key: str | None = None
    delay: float = 0.0
    priority: int = 0
    user_id: str | None = None
    request_id: str | None = None


def subscribe(subscriber: Subscriber) -> None:
    """Call `subscriber(queue, ids)` after each commit of this process that enqueued tasks without delay."""
    _subscribers.add(subscriber)


def unsubscribe(subscriber: Subscriber) -> None:
    """Remove the subscriber."""
    _subscribers.discard(subscriber)


def notify(ids: Mapping[str, Sequence[str]]) -> None:
    """Notify the engines of this process of tasks that can be claimed, by queue."""
    for subscriber in tuple(_subscribers):
        for queue, waiting in ids.items():
            subscriber(queue, waiting)


_DELAY = {"delay": "double precision"}
_INSERT_COLUMNS = (
    "id",
    "name",
    "queue",
    "payload",
    "priority",
    "fair_round",
    "max_attempts",
    "key",
    "user_id",
    "request_id",
    "created_at",
)
_ENQUEUE = bulk_insert(
    Task, *_INSERT_COLUMNS, beside=_DELAY, where_new=True, status="'queued'", attempts="0", fence="0", run_at="{later}"
)  # fmt: skip
_ENQUEUE_RUNNING = bulk_insert(
    Task, *_INSERT_COLUMNS, "worker", beside=_DELAY, status="'running'", attempts="1", fence="1", run_at="{clock}",
    lease_until="{later}",
)  # fmt: skip
_FINISH = BulkStatement(
    "UPDATE tasks SET status = 'done', finished_at = {clock}, lease_until = NULL, "
    "payload = CASE WHEN d.erase THEN CAST('{{}}' AS {json}) ELSE payload END, "
    "error = CASE WHEN d.erase THEN NULL ELSE error END "
    "FROM {rows} WHERE tasks.id = d.id AND tasks.fence = d.fence AND tasks.status = 'running' RETURNING tasks.id",
    id="text", fence="bigint", erase="boolean",
)  # fmt: skip


async def enqueue(tx: Tx, task_type: TaskType, payload: dict[str, Any], **options: Any) -> None:
    """Add one task in the caller's transaction; the options are those of `NewTask`."""
    await enqueue_many(tx, [NewTask(task_type, payload, **options)])


async def enqueue_many(tx: Tx, wanted: Sequence[NewTask]) -> None:
    """Add tasks in the caller's transaction; engines of this process are notified after it commits."""
    if not wanted:
        return
    rounds = await fair_share.assign_rounds(tx, [(each.task_type.queue, each.user_id) for each in wanted])
    rows = [_row_of(each, fair_round) for each, fair_round in zip(wanted, rounds, strict=True)]
    await _ENQUEUE.run(tx, rows)
    waiting: dict[str, list[str]] = {}
    for row, each in zip(rows, wanted, strict=True):
        if not each.delay:
            waiting.setdefault(each.task_type.queue, []).append(row["id"])
    tx.after_commit(lambda: notify(waiting))


def _row_of(each: NewTask, fair_round: int) -> dict[str, Any]:
    return {
        "id": ids.new(),
        "name": each.task_type.name,
        "queue": each.task_type.queue,
        "payload": each.payload,
        "priority": each.priority,
        "fair_round": fair_round,
        "max_attempts": each.task_type.attempts,
        "delay": each.delay,
        "key": each.key,
        "user_id": each.user_id,
        "request_id": each.request_id or context.request_id.get(),
        "created_at": clock.now(),
    }


async def claim_now(tx: Tx, wanted: Sequence[NewTask], *, worker: str, lease: float) -> list[ClaimedTask]:
    """Add tasks already claimed by this process; if it dies, another one claims them when the lease expires."""
    if not wanted:
        return []
    rows = [{**_row_of(each, 0), "delay": lease, "worker": worker} for each in wanted]
    await _ENQUEUE_RUNNING.run(tx, rows)
    return [
        ClaimedTask(row["id"], row["name"], row["payload"], 1, row["max_attempts"], 1, row["request_id"])
        for row in rows
    ]


async def anything_due(executor: Executor, queues: Sequence[str]) -> bool:
    """Whether `claim` would find a task; takes no lock."""
    return bool((await executor.read(_due_exists(tuple(queues))))[0].due)


@cache
def _due_exists(queues: tuple[str, ...]) -> PreparedSelect:
    selects = [due.limit(1).exists() for queue in queues for due in _due(queue)]
    return PreparedSelect(select(or_(*selects).label("due")))


def _due(queue: "str | BindParameter[str]") -> tuple[Select[str], Select[str]]:
    """Queued tasks that are due, and running tasks whose lease expired. Two selects: each has its index."""
    waiting = select(Task.id).where(Task.status == QUEUED, Task.queue == queue, Task.run_at <= db_now())
    lost = select(Task.id).where(Task.status == RUNNING, Task.queue == queue, Task.lease_until < db_now())
    return waiting, lost


async def due_counts(tx: Tx, queues: Sequence[str], at_most: int) -> dict[str, int]:
    """The number of tasks of each queue that could be claimed now, up to `at_most`; empty queues are omitted."""
    selects = []
    for queue in queues:
        for due in _due(queue):
            counted = due.limit(at_most).subquery()
            selects.append(select(literal(queue), func.count()).select_from(counted))
    found: Counter[str] = Counter()
    for queue, count in (await tx.execute(union_all(*selects))).all():
        found[queue] += count
    return {queue: min(count, at_most) for queue, count in found.items() if count}


async def claim(tx: Tx, queue: str, limit: int, *, worker: str, lease: float) -> list[ClaimedTask]:
    """Claim up to `limit` tasks of a queue that are due or whose lease expired, for `lease` seconds.

    Expired leases come first, then lower `priority`, then lower fair-sharing rounds.
    """
    parameters = {"in_queue": queue, "most": limit, "by": worker, "lasts": lease}
    return [ClaimedTask(*row) for row in (await tx.execute(_claim(), parameters)).all()]


@cache
def _claim() -> Executable:
    """The statement, built once: building it takes longer than running it."""
    waiting, lost = _due(bindparam("in_queue", type_=String()))
    most = bindparam("most", type_=Integer())
    # A named query runs exactly once; as a mere subquery PostgreSQL may run it again and lock more than `most`.
    parts = [
        chosen.limit(most).with_for_update(skip_locked=True).cte(name)
        for name, chosen in (
            ("lost", lost.order_by(Task.lease_until)),
            ("waiting", waiting.order_by(Task.priority, Task.fair_round, Task.run_at, Task.id)),
        )
    ]
    due = union_all(*(select(part.c.id) for part in parts)).limit(most).cte("due")
    return (
        update(Task)
        .where(Task.id.in_(select(due.c.id)))
        .values(
            status="running",
            # Where dead-lettering failed the attempts are not counted further.
            attempts=case((Task.attempts < Task.max_attempts + 1, Task.attempts + 1), else_=Task.attempts),
            fence=Task.fence + 1,
            lease_until=db_now(bindparam("lasts", type_=Double())),
            worker=bindparam("by", type_=String()),
        )
        .returning(Task.id, Task.name, Task.payload, Task.attempts, Task.max_attempts, Task.fence, Task.request_id)
        .execution_options(synchronize_session=False)
    )


async def renew(tx: Tx, held: Sequence[ClaimedTask], lease: float) -> set[str]:
    """Extend the leases that this process still holds; returns the ids of their tasks."""
    statement = (
        update(Task)
        .where(tuple_(Task.id, Task.fence).in_([(task.id, task.fence) for task in held]), Task.status == "running")
        .values(lease_until=db_now(lease))
        .returning(Task.id)
        .execution_options(synchronize_session=False)
    )
    return set((await tx.execute(statement)).scalars())


async def finish(tx: Tx, task: ClaimedTask) -> None:
    """Mark the task as done in the transaction of its effects. Raises LeaseLost: roll back then."""
    if not await finish_many(tx, [task]):
        raise LeaseLost(task.name)


async def finish_many(tx: Tx, held: Sequence[ClaimedTask]) -> set[str]:
    """Mark tasks whose lease this process still holds as done, in the transaction of their effects; returns their ids.

    Effects of the other tasks must not be committed.
    """
    rows = [{"id": task.id, "fence": task.fence, "erase": _erases_payload(task)} for task in held]
    finished = set((await _FINISH.run(tx, rows)).scalars())
    for task in held:
        if task.id in finished:
            tx.after_commit(partial(setattr, task, "closed", True))
    return finished


def _erases_payload(task: ClaimedTask) -> bool:
    task_type = TASK_TYPES.get(task.name)
    return task_type is not None and task_type.erase_payload


async def _close(tx: Tx, task: ClaimedTask, **values: Any) -> None:
    mine = and_(Task.id == task.id, Task.fence == task.fence, Task.status == "running")
    statement = update(Task).where(mine).values(**values).execution_options(synchronize_session=False)
    if cast("CursorResult[Any]", await tx.execute(statement)).rowcount != 1:
        raise LeaseLost(task.name)
    tx.after_commit(lambda: setattr(task, "closed", True))


async def is_open(tx: Tx, task: ClaimedTask) -> bool:
    """Whether the task is still running under this lease."""
    mine = select(Task.id).where(Task.id == task.id, Task.fence == task.fence, Task.status == "running")
    return (await tx.execute(mine)).first() is not None


async def was_closed(tx: Tx, task: ClaimedTask) -> bool:
    """Whether the task was closed under this very lease, rather than taken over."""
    query = select(Task.id).where(Task.id == task.id, Task.fence == task.fence, Task.status != "running")
    return (await tx.execute(query)).first() is not None


async def reschedule(tx: Tx, task: ClaimedTask, *, error: str | None, delay: float, counted: bool = True) -> None:
    """Queue the task again after `delay` seconds. Raises LeaseLost."""
    values: dict[str, Any] = {"status": "queued", "run_at": db_now(delay), "lease_until": None, "error": error}
    if not counted:
        values["attempts"] = Task.attempts - 1
    await _close(tx, task, **values)
    task_type = TASK_TYPES.get(task.name)
    if task_type is not None and not delay:
        tx.after_commit(lambda: notify({task_type.queue: [task.id]}))


async def dead_letter(tx: Tx, resources: Resources, task: ClaimedTask, error: str) -> None:
    """Dead-letter the task and call `on_dead_letter` of its type in the same transaction. Raises LeaseLost."""
    await _close(tx, task, status="dead", finished_at=db_now(), lease_until=None, error=error[:2000])
    task_type = TASK_TYPES.get(task.name)
    if task_type is not None and task_type.on_dead_letter is not None:
        await task_type.on_dead_letter(tx, resources, task)


def backoff(task_type: TaskType, attempt: int) -> float:
    """Seconds before the next attempt: exponential with full jitter, so that failures spread out."""
    longest: float = min(task_type.longest_backoff, task_type.backoff * 2 ** (attempt - 1))
    return random.uniform(0.5, 1.0) * longest  # noqa: S311 - jitter, not secrecy


async def enqueue_due(tx: Tx, periodic: Sequence[Periodic]) -> list[str]:
    """Enqueue each periodic task that is due and advance its schedule; concurrent schedulers enqueue it once."""
    due = []
    for each in periodic:
        name = each.task_type.name
        if await advance_schedule(tx, name, each.seconds):
            await enqueue(tx, each.task_type, {}, key=f"periodic:{name}")
            due.append(name)
    return due


async def advance_schedule(tx: Tx, name: str, seconds: float) -> bool:
    """Whether `name` is due; if so its next run is set `seconds` from now. Only one of concurrent callers gets True."""
    first = tx.insert(TaskSchedule).values(name=name, next_at=db_now(seconds), last_at=db_now())
    moved = first.on_conflict_do_update(
        index_elements=["name"],
        set_={"next_at": db_now(seconds), "last_at": db_now()},
        where=TaskSchedule.next_at <= db_now(),
    ).returning(TaskSchedule.name)
    return (await tx.execute(moved)).first() is not None


async def schedule_is_due(tx: Tx, periodic: Sequence[Periodic]) -> bool:
    """Whether `enqueue_due` would enqueue a task."""
    names = [each.task_type.name for each in periodic]
    waiting = select(func.count()).where(TaskSchedule.name.in_(names), TaskSchedule.next_at > db_now())
    return int((await tx.execute(waiting)).scalar_one()) < len(names)


async def counts(tx: Tx) -> list[dict[str, Any]]:
    """Live tasks and dead letters by queue and status, with the creation time of the oldest."""
    query = (
        select(Task.queue, Task.status, func.count(), func.min(Task.created_at))
        .where(Task.status.in_(("queued", "running", "dead")))
        .group_by(Task.queue, Task.status)
    )
    return [
        {"queue": queue, "status": status, "count": count, "oldest": oldest}
        for queue, status, count, oldest in (await tx.execute(query)).all()
    ]


async def sweep_tasks(tx: Tx, *, older_than: float = 86400.0, limit: int = 2000) -> int:
    """Delete up to `limit` tasks that were done or cancelled `older_than` seconds ago, and old dead letters of types
    that erase their payload or are periodic.

    Every other dead letter is kept.
    """
    deleted_types = [
        task_type.name for task_type in TASK_TYPES.values() if task_type.erase_payload or task_type.periodic
    ]
    over = and_(Task.status.in_(("done", "cancelled")), Task.finished_at < db_now(-older_than))
    dead = and_(Task.status == "dead", Task.finished_at < db_now(-KEPT_SECONDS), Task.name.in_(deleted_types))
    old = select(Task.id).where(or_(over, dead)).limit(limit)
    result = await tx.execute(delete(Task).where(Task.id.in_(old)).execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", result).rowcount
