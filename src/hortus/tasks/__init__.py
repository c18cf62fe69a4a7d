"""Durable background work: enqueued in the caller's transaction, done once, whatever dies."""

from hortus.tasks.engines.embedded import EmbeddedEngine
from hortus.tasks.kinds import QUEUES, Claimed, Dead, Kind, LeaseLost, Retry, define, every
from hortus.tasks.leases import Leases
from hortus.tasks.presence import workers
from hortus.tasks.queue import (
    TaskNotFound,
    Wanted,
    claim_now,
    counts,
    dead_letters,
    enqueue,
    enqueue_many,
    finish,
    requeue,
)
from hortus.tasks.run import run_one
from hortus.tasks.scheduler import Remind, Scheduler

__all__ = [
    "QUEUES",
    "Claimed",
    "Dead",
    "EmbeddedEngine",
    "Kind",
    "LeaseLost",
    "Leases",
    "Remind",
    "Retry",
    "Scheduler",
    "TaskNotFound",
    "Wanted",
    "claim_now",
    "counts",
    "dead_letters",
    "define",
    "enqueue",
    "enqueue_many",
    "every",
    "finish",
    "requeue",
    "run_one",
    "workers",
]
