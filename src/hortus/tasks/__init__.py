"""Durable background work: enqueued in the caller's transaction, done once, whatever dies."""

from hortus.tasks.depths import Depth, dead, depths
from hortus.tasks.engines.embedded import EmbeddedEngine
from hortus.tasks.kinds import QUEUES, Claimed, Dead, Kind, LeaseLost, Periodic, Retry, define, every
from hortus.tasks.leases import Leases
from hortus.tasks.oversight import (
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
from hortus.tasks.presence import SERVER, processes, workers
from hortus.tasks.queue import Wanted, claim_now, counts, ended_well, enqueue, enqueue_many, finish, finish_many
from hortus.tasks.run import run_one
from hortus.tasks.scheduler import Remind, Scheduler

__all__ = [
    "QUEUES",
    "SERVER",
    "Claimed",
    "Dead",
    "Depth",
    "EmbeddedEngine",
    "Kind",
    "LeaseLost",
    "Leases",
    "Periodic",
    "Remind",
    "Retry",
    "Scheduler",
    "TaskAlreadyQueued",
    "TaskEnded",
    "TaskNotDead",
    "TaskNotFound",
    "Wanted",
    "cancel",
    "claim_now",
    "counts",
    "dead",
    "dead_letters",
    "define",
    "depths",
    "ended_well",
    "enqueue",
    "enqueue_many",
    "every",
    "find_live",
    "find_task",
    "find_tasks",
    "finish",
    "finish_many",
    "hides_payload",
    "is_periodic",
    "processes",
    "requeue",
    "run_one",
    "workers",
]
