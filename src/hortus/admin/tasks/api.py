"""Routes of `/api/admin/queues` and `/api/admin/tasks`."""

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, Field

from hortus import tasks
from hortus.admin.audit import actor_of, record
from hortus.admin.schemas import ReasonIn
from hortus.auth import Admin, Staff
from hortus.core.db.paging import Page
from hortus.core.schemas import Id, Time
from hortus.core.web.deps import AllResources, PageParams, ReadTx, WriteTx
from hortus.core.web.openapi import make_router

router = make_router("/api/admin", "admin")
TaskStatus = Literal["queued", "running", "done", "dead", "cancelled"]
QueueName = Literal["interactive", "media", "mail", "maintenance"]


class CountOut(BaseModel):
    """Number of tasks of one status in one queue."""

    queue: str
    status: str
    count: int
    oldest: Time | None


class WorkerOut(BaseModel):
    """A worker or scheduler process. `slots` is the number of tasks of each queue that it runs at once."""

    name: str
    kind: str
    slots: dict[str, int]
    running: int
    started_at: Time
    seen_at: Time


class QueuesOut(BaseModel):
    """Queues and worker processes."""

    queues: list[CountOut]
    workers: list[WorkerOut]


class TaskOut(BaseModel):
    """One task. `error` is the last error, for operators."""

    id: str
    name: str
    queue: str
    status: str
    periodic: bool
    priority: int
    attempts: int
    max_attempts: int
    run_at: Time
    lease_until: Time | None
    worker: str | None
    user_id: str | None
    request_id: str
    error: str | None
    created_at: Time
    finished_at: Time | None


class TaskDetailsOut(TaskOut):
    """One task with its payload."""

    payload: dict[str, Any] | None = Field(description="Null when it may contain confidential data")


def _fields(row: Any) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in TaskOut.model_fields if name != "periodic"}
    return {**shown, "periodic": tasks.is_periodic(row)}


@router.get("/queues", operation_id="admin_read_queues")
async def read_queues(_caller: Staff, tx: ReadTx) -> QueuesOut:
    """Number of tasks by queue and status, and the worker processes."""
    counted = sorted(await tasks.counts(tx), key=lambda each: (each["queue"], each["status"]))
    working = await tasks.workers(tx)
    return QueuesOut(
        queues=[CountOut(**each) for each in counted],
        workers=[WorkerOut.model_validate(each, from_attributes=True) for each in working],
    )


@router.get("/tasks", operation_id="admin_list_tasks")
async def list_tasks(
    _caller: Staff,
    tx: ReadTx,
    paging: PageParams,
    status: TaskStatus | None = None,
    queue: QueueName | None = None,
    name: Annotated[str | None, Query(max_length=80, pattern=r"^[a-z_.]+$")] = None,
) -> Page[TaskOut]:
    """Tasks, newest first; `status=dead` are the dead letters."""
    page = await tasks.find_tasks(tx, paging, status=status, queue=queue, name=name)
    return Page(items=[TaskOut(**_fields(row)) for row in page.items], next_cursor=page.next_cursor)


@router.get("/tasks/{task_id}", operation_id="admin_read_task")
async def read_task(task_id: Id, _caller: Admin, tx: ReadTx) -> TaskDetailsOut:
    """One task with its payload; payloads of messages stay encrypted."""
    row = await tasks.find_task(tx, task_id)
    payload = None if tasks.hides_payload(row) else row.payload
    return TaskDetailsOut(**_fields(row), payload=payload)


@router.post("/tasks/{task_id}/requeue", operation_id="admin_requeue_task")
async def requeue(task_id: Id, body: ReasonIn, caller: Admin, tx: WriteTx) -> TaskOut:
    """Requeue a dead letter with all its attempts; 409 when it is not dead or the same task is queued."""
    name = await tasks.requeue(tx, task_id)
    await record(tx, actor_of(caller), "task.requeued", ("task", task_id), {"name": name}, note=body.reason)
    return TaskOut(**_fields(await tasks.find_task(tx, task_id)))


@router.post("/tasks/{task_id}/cancel", operation_id="admin_cancel_task")
async def cancel(task_id: Id, body: ReasonIn, caller: Admin, tx: WriteTx, resources: AllResources) -> TaskOut:
    """Cancel a queued or running task; its generation fails without a charge."""
    name = await tasks.cancel(tx, resources, task_id)
    await record(tx, actor_of(caller), "task.cancelled", ("task", task_id), {"name": name}, note=body.reason)
    return TaskOut(**_fields(await tasks.find_task(tx, task_id)))
