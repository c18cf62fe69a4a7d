"""Administration of single tasks: find, requeue, cancel."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, literal_column, select, update
from sqlalchemy.exc import IntegrityError

from hortus.core import clock
from hortus.core.db import Tx, db_now
from hortus.core.db.paging import Page, PageRequest, newest
from hortus.core.errors import Conflict, NotFound
from hortus.core.resources import Resources
from hortus.tasks.queue import notify
from hortus.tasks.registry import TASK_TYPES, ClaimedTask
from hortus.tasks.tables import DEAD, Task

LIVE = ("queued", "running")
# Literals, so that SQLite uses the partial indexes of these conditions.
_IS_LIVE: ColumnElement[bool] = literal_column("tasks.status IN ('queued', 'running')")
CANCELLED = "cancelled by an administrator"


class TaskNotFound(NotFound):
    """The task does not exist, or was done more than a day ago and deleted."""

    code = "task_not_found"
    detail = "There is no such task. Those that ended well are kept for a day."


class TaskNotDead(Conflict):
    """The task to requeue is not a dead letter."""

    code, title = "task_not_dead", "This task is not a dead letter"
    detail = "Only a task that is dead can be requeued; `status_now` says what this one is."


class TaskAlreadyQueued(Conflict):
    """A live task with the same key exists."""

    code, title = "task_already_queued", "The same work is on its way already"
    detail = "A newer task does the same work now; leave this one dead."


class TaskEnded(Conflict):
    """The task to cancel is neither queued nor running."""

    code, title = "task_ended", "This task has ended"
    detail = "Only a queued or running task can be cancelled; `status_now` says what this one is."


async def find_tasks(
    tx: Tx, paging: PageRequest, *, status: str | None = None, queue: str | None = None, name: str | None = None
) -> Page[Any]:
    """Tasks, newest first."""
    query = select(Task)
    if status == "dead":
        query = query.where(Task.status == DEAD)
    elif status is not None:
        query = query.where(Task.status == status)
        if status in LIVE:
            query = query.where(_IS_LIVE)
    if queue is not None:
        query = query.where(Task.queue == queue)
    if name is not None:
        query = query.where(Task.name == name)
    return await newest(tx, query, paging, Task.id)


async def dead_letters(tx: Tx, paging: PageRequest) -> Sequence[Task]:
    """Dead letters, newest first."""
    return (await find_tasks(tx, paging, status="dead")).items


async def find_task(tx: Tx, task_id: str) -> Task:
    """One task; raises TaskNotFound."""
    found = (await tx.execute(select(Task).where(Task.id == task_id))).scalar_one_or_none()
    if found is None:
        raise TaskNotFound
    return found


async def find_live(tx: Tx, name: str, user_id: str) -> Sequence[Task]:
    """The queued and running tasks of that name for a user."""
    query = select(Task).where(_IS_LIVE, Task.user_id == user_id, Task.name == name)
    return (await tx.execute(query)).scalars().all()


def hides_payload(task: Task) -> bool:
    """Whether the payload must not be shown: its type erases it, or the type is unknown."""
    task_type = TASK_TYPES.get(task.name)
    return task_type is None or task_type.erase_payload


def is_periodic(task: Task) -> bool:
    """Whether schedulers enqueue tasks of this type."""
    task_type = TASK_TYPES.get(task.name)
    return task_type is not None and task_type.periodic


async def requeue(tx: Tx, task_id: str) -> str:
    """Queue a dead letter again with all its attempts; returns its name.

    Raises TaskNotFound, TaskNotDead, and TaskAlreadyQueued when a live task bears its key: roll back then.
    """
    again = (
        update(Task)
        .where(Task.id == task_id, Task.status == "dead")
        .values(status="queued", attempts=0, finished_at=None, run_at=clock.EPOCH)
        .returning(Task.queue, Task.name)
        .execution_options(synchronize_session=False)
    )
    try:
        moved = (await tx.execute(again)).one_or_none()
    except IntegrityError as error:
        raise TaskAlreadyQueued from error
    if moved is None:
        raise TaskNotDead(status_now=(await find_task(tx, task_id)).status)
    tx.after_commit(lambda: notify({moved.queue: [task_id]}))
    return str(moved.name)


async def cancel(tx: Tx, resources: Resources, task_id: str) -> str:
    """Cancel a live task and call `on_dead_letter` of its type; returns its name.

    Its worker loses the lease, so later effects of it cannot be committed. Raises TaskNotFound, and TaskEnded,
    which must roll back.
    """
    found = await find_task(tx, task_id)
    task_type = TASK_TYPES.get(found.name)
    if found.status in LIVE and task_type is not None and task_type.on_dead_letter is not None:
        # The rows that the task works on first, then the task: workers lock them in the same order.
        task = ClaimedTask(
            task_id, task_type.name, found.payload, found.attempts, found.max_attempts, found.fence, found.request_id
        )
        await task_type.on_dead_letter(tx, resources, task)
    values: dict[str, Any] = {"payload": {}} if task_type is not None and task_type.erase_payload else {}
    ended = (
        update(Task)
        .where(Task.id == task_id, Task.status.in_(LIVE))
        .values(
            status="cancelled",
            fence=Task.fence + 1,
            finished_at=db_now(),
            lease_until=None,
            error=CANCELLED,
            **values,
        )
        .returning(Task.id)
        .execution_options(synchronize_session=False)
    )
    moved = (await tx.execute(ended)).first()
    await tx.refresh(found)
    if moved is None:
        raise TaskEnded(status_now=found.status)
    return found.name
