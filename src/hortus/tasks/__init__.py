"""Durable background work: enqueued in the caller's transaction, done once, whatever dies."""

from hortus.tasks.engines.embedded import EmbeddedEngine
from hortus.tasks.kinds import QUEUES, Claimed, Dead, Kind, LeaseLost, Retry, define, every
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

__all__ = [
    "QUEUES",
    "Claimed",
    "Dead",
    "EmbeddedEngine",
    "Kind",
    "LeaseLost",
    "Retry",
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
]
