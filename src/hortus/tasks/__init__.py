"""Durable background tasks: enqueued in the caller's transaction, run under leases, finished exactly once."""

from hortus.tasks.admin import (
    TaskAlreadyQueued,
    TaskEnded,
    TaskNotDead,
    TaskNotFound,
    cancel,
    dead_letters,
    find_live,
    find_task,
    find_tasks,
    hides_payload,
    is_periodic,
    requeue,
)
from hortus.tasks.engines.embedded import EmbeddedEngine
from hortus.tasks.heartbeats import SERVER, processes, workers
from hortus.tasks.leases import Leases
from hortus.tasks.queue import NewTask, claim_now, counts, enqueue, enqueue_many, finish, finish_many, was_closed
from hortus.tasks.queue_stats import QueueStats, count_dead_letters, queue_stats
from hortus.tasks.registry import (
    QUEUES,
    ClaimedTask,
    LeaseLost,
    Periodic,
    PermanentFailure,
    Retry,
    TaskType,
    register,
    register_periodic,
)
from hortus.tasks.run import run_one
from hortus.tasks.scheduler import Remind, Scheduler
from hortus.tasks.startup import embedded_engine, open_notifier, run_engine

__all__ = [
    "QUEUES",
    "SERVER",
    "ClaimedTask",
    "EmbeddedEngine",
    "LeaseLost",
    "Leases",
    "NewTask",
    "Periodic",
    "PermanentFailure",
    "QueueStats",
    "Remind",
    "Retry",
    "Scheduler",
    "TaskAlreadyQueued",
    "TaskEnded",
    "TaskNotDead",
    "TaskNotFound",
    "TaskType",
    "cancel",
    "claim_now",
    "count_dead_letters",
    "counts",
    "dead_letters",
    "embedded_engine",
    "enqueue",
    "enqueue_many",
    "find_live",
    "find_task",
    "find_tasks",
    "finish",
    "finish_many",
    "hides_payload",
    "is_periodic",
    "open_notifier",
    "processes",
    "queue_stats",
    "register",
    "register_periodic",
    "requeue",
    "run_engine",
    "run_one",
    "was_closed",
    "workers",
]
