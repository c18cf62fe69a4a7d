"""Enqueue, claim, renew, finish: every change to a task row, by the database's clock."""

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
from hortus.core.db.bulk import SetStatement, insert_of
from hortus.core.db.compiled_select import Read, Source
from hortus.core.resources import Resources
from hortus.tasks import laps
from hortus.tasks.kinds import Claimed, Kind, LeaseLost, Periodic, registry
from hortus.tasks.tables import QUEUED, RUNNING, Task, TaskSchedule

Doorbell = Callable[[str, Sequence[str]], None]
_doorbells: set[Doorbell] = set()
FORGET_AFTER = 7 * 86400.0
"""Seconds for which a dead letter that is swept at all can still be given another chance."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A task to enqueue; `delay` in seconds; the lower `priority`, the sooner.

    With a `key` that is live already, nothing is added. Tasks of one user wait for each other more than for others.
    """

    kind: Kind
    payload: dict[str, Any]
    key: str | None = None
    delay: float = 0.0
    priority: int = 0
    user_id: str | None = None
    request_id: str | None = None


def listen(doorbell: Doorbell) -> None:
    """Call `doorbell(queue, ids)` after each commit of this process that left tasks to be done at once."""
    _doorbells.add(doorbell)


def unlisten(doorbell: Doorbell) -> None:
    """Stop calling."""
    _doorbells.discard(doorbell)


def ring(ids: Mapping[str, Sequence[str]]) -> None:
    """Tell the engines here which tasks, by queue, wait to be done."""
    for doorbell in tuple(_doorbells):
        for queue, waiting in ids.items():
            doorbell(queue, waiting)


_DELAY = {"delay": "double precision"}
_BORN = (
    "id",
    "name",
    "queue",
    "payload",
    "priority",
    "lap",
    "max_attempts",
    "key",
    "user_id",
    "request_id",
    "created_at",
)
_ENQUEUE = insert_of(
    Task, *_BORN, beside=_DELAY, where_new=True, status="'queued'", attempts="0", fence="0", run_at="{later}"
)  # fmt: skip
_ENQUEUE_RUNNING = insert_of(
    Task, *_BORN, "worker", beside=_DELAY, status="'running'", attempts="1", fence="1", run_at="{clock}",
    lease_until="{later}",
)  # fmt: skip
_FINISH = SetStatement(
    "UPDATE tasks SET status = 'done', finished_at = {clock}, lease_until = NULL, "
    "payload = CASE WHEN d.forget THEN CAST('{{}}' AS {json}) ELSE payload END, "
    "error = CASE WHEN d.forget THEN NULL ELSE error END "
    "FROM {rows} WHERE tasks.id = d.wanted AND fence = d.held AND status = 'running' RETURNING id",
    wanted="text", held="bigint", forget="boolean",
)  # fmt: skip


async def enqueue(tx: Tx, kind: Kind, payload: dict[str, Any], **options: Any) -> None:
    """Add one task in the caller's transaction; the options are those of `Wanted`."""
    await enqueue_many(tx, [Wanted(kind, payload, **options)])


async def enqueue_many(tx: Tx, wanted: Sequence[Wanted]) -> None:
    """Add tasks in the caller's transaction. They exist if it commits; engines here are told then."""
    if not wanted:
        return
    own_laps = await laps.take(tx, [(each.kind.queue, each.user_id) for each in wanted])
    rows = [_row_of(each, lap) for each, lap in zip(wanted, own_laps, strict=True)]
    await _ENQUEUE.run(tx, rows)
    waiting: dict[str, list[str]] = {}
    for row, each in zip(rows, wanted, strict=True):
        if not each.delay:
            waiting.setdefault(each.kind.queue, []).append(row["id"])
    tx.after_commit(lambda: ring(waiting))


def _row_of(each: Wanted, lap: int) -> dict[str, Any]:
    return {
        "id": ids.new(),
        "name": each.kind.name,
        "queue": each.kind.queue,
        "payload": each.payload,
        "priority": each.priority,
        "lap": lap,
        "max_attempts": each.kind.attempts,
        "delay": each.delay,
        "key": each.key,
        "user_id": each.user_id,
        "request_id": each.request_id or context.request_id.get(),
        "created_at": clock.now(),
    }


async def claim_now(tx: Tx, wanted: Sequence[Wanted], *, worker: str, lease: float) -> list[Claimed]:
    """Add tasks that this process works on at once; if it dies, another one takes them over."""
    if not wanted:
        return []
    rows = [{**_row_of(each, 0), "delay": lease, "worker": worker} for each in wanted]
    await _ENQUEUE_RUNNING.run(tx, rows)
    return [
        Claimed(row["id"], row["name"], row["payload"], 1, row["max_attempts"], 1, row["request_id"]) for row in rows
    ]


async def anything_due(source: Source, queues: Sequence[str]) -> bool:
    """A cheap look, without a lock, whether `claim` would find something."""
    return bool((await source.read(_anything(tuple(queues))))[0].due)


@cache
def _anything(queues: tuple[str, ...]) -> Read:
    looks = [due.limit(1).exists() for queue in queues for due in _due(queue)]
    return Read(select(or_(*looks).label("due")))


def _due(queue: "str | BindParameter[str]") -> tuple[Select[str], Select[str]]:
    """Those that wait, and those whose lease ran out. Two selects: each has its index."""
    waiting = select(Task.id).where(Task.status == QUEUED, Task.queue == queue, Task.run_at <= db_now())
    lost = select(Task.id).where(Task.status == RUNNING, Task.queue == queue, Task.lease_until < db_now())
    return waiting, lost


async def due_counts(tx: Tx, queues: Sequence[str], at_most: int) -> dict[str, int]:
    """How many tasks of each queue could be claimed now, counted up to `at_most`; queues with none are left out."""
    looks = []
    for queue in queues:
        for due in _due(queue):
            counted = due.limit(at_most).subquery()
            looks.append(select(literal(queue), func.count()).select_from(counted))
    found: Counter[str] = Counter()
    for queue, count in (await tx.execute(union_all(*looks))).all():
        found[queue] += count
    return {queue: min(count, at_most) for queue, count in found.items() if count}


async def claim(tx: Tx, queue: str, room: int, *, worker: str, lease: float) -> list[Claimed]:
    """Take up to `room` due tasks of a queue, and those whose lease ran out, for `lease` seconds.

    Those whose lease ran out come first, then the urgent, then everybody lap by lap.
    """
    asked = {"in_queue": queue, "room": room, "by": worker, "lasts": lease}
    return [Claimed(*row) for row in (await tx.execute(_claim(), asked)).all()]


@cache
def _claim() -> Executable:
    """Built once: it runs for every task, and building it takes longer than running it."""
    waiting, lost = _due(bindparam("in_queue", type_=String()))
    room = bindparam("room", type_=Integer())
    # A named query runs exactly once; as a mere subquery PostgreSQL may run it again and lock more than `room`.
    parts = [
        chosen.limit(room).with_for_update(skip_locked=True).cte(name)
        for name, chosen in (
            ("lost", lost.order_by(Task.lease_until)),
            ("waiting", waiting.order_by(Task.priority, Task.lap, Task.run_at, Task.id)),
        )
    ]
    due = union_all(*(select(part.c.id) for part in parts)).limit(room).cte("due")
    return (
        update(Task)
        .where(Task.id.in_(select(due.c.id)))
        .values(
            status="running",
            # A task that was dead-lettered in vain is not counted further.
            attempts=case((Task.attempts < Task.max_attempts + 1, Task.attempts + 1), else_=Task.attempts),
            fence=Task.fence + 1,
            lease_until=db_now(bindparam("lasts", type_=Double())),
            worker=bindparam("by", type_=String()),
        )
        .returning(Task.id, Task.name, Task.payload, Task.attempts, Task.max_attempts, Task.fence, Task.request_id)
        .execution_options(synchronize_session=False)
    )


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
    """Mark the task as done in the transaction of its effects. Raises LeaseLost, which must roll them back."""
    if not await finish_many(tx, [task]):
        raise LeaseLost(task.name)


async def finish_many(tx: Tx, held: Sequence[Claimed]) -> set[str]:
    """Mark those as done whose lease is still ours, in the transaction of their effects; their ids.

    The others must have no effects.
    """
    rows = [{"wanted": task.id, "held": task.fence, "forget": _is_forgotten(task)} for task in held]
    finished = set((await _FINISH.run(tx, rows)).scalars())
    for task in held:
        if task.id in finished:
            tx.after_commit(partial(setattr, task, "closed", True))
    return finished


def _is_forgotten(task: Claimed) -> bool:
    kind = registry.kinds.get(task.name)
    return kind is not None and kind.forget


async def _close(tx: Tx, task: Claimed, **values: Any) -> None:
    mine = and_(Task.id == task.id, Task.fence == task.fence, Task.status == "running")
    statement = update(Task).where(mine).values(**values).execution_options(synchronize_session=False)
    if cast("CursorResult[Any]", await tx.execute(statement)).rowcount != 1:
        raise LeaseLost(task.name)
    tx.after_commit(lambda: setattr(task, "closed", True))


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
    kind = registry.kinds.get(task.name)
    if kind is not None and not delay:
        tx.after_commit(lambda: ring({kind.queue: [task.id]}))


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
    due = []
    for each in periodic:
        name = each.kind.name
        if await move_on(tx, name, each.seconds):
            await enqueue(tx, each.kind, {}, key=f"periodic:{name}")
            due.append(name)
    return due


async def move_on(tx: Tx, name: str, seconds: float) -> bool:
    """Whether the time of `name` has come; it comes again after `seconds`, and each time for one caller only."""
    first = tx.insert(TaskSchedule).values(name=name, next_at=db_now(seconds), last_at=db_now())
    moved = first.on_conflict_do_update(
        index_elements=["name"],
        set_={"next_at": db_now(seconds), "last_at": db_now()},
        where=TaskSchedule.next_at <= db_now(),
    ).returning(TaskSchedule.name)
    return (await tx.execute(moved)).first() is not None


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


async def sweep(tx: Tx, *, older_than: float = 86400.0, limit: int = 2000) -> int:
    """Delete up to `limit` tasks that ended well or were cancelled that many seconds ago, and dead letters of which
    nobody has any use: those to be forgotten, and those of the clock, which has enqueued newer ones since.

    Every other dead letter stays.
    """
    passing = [kind.name for kind in registry.kinds.values() if kind.forget or kind.periodic]
    over = and_(Task.status.in_(("done", "cancelled")), Task.finished_at < db_now(-older_than))
    dead = and_(Task.status == "dead", Task.finished_at < db_now(-FORGET_AFTER), Task.name.in_(passing))
    old = select(Task.id).where(or_(over, dead)).limit(limit)
    result = await tx.execute(delete(Task).where(Task.id.in_(old)).execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", result).rowcount
