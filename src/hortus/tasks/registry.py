"""Task types: their names, handlers, limits and retry policy, and the exceptions that a handler may raise."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from hortus.core.db import Tx
from hortus.core.resources import Resources

Queue = Literal["interactive", "media", "mail", "maintenance"]
QUEUES: tuple[Queue, ...] = ("interactive", "media", "mail", "maintenance")


@dataclass(slots=True, eq=False)
class ClaimedTask:
    """A task whose lease this process holds. `closed` is set once its end is committed."""

    id: str
    name: str
    payload: dict[str, Any]
    attempt: int
    max_attempts: int
    fence: int
    request_id: str
    closed: bool = False

    @property
    def is_last_attempt(self) -> bool:
        """Whether a failure now is final."""
        return self.attempt >= self.max_attempts


Handler = Callable[[Resources, ClaimedTask], Awaitable[None]]
OnDeadLetter = Callable[[Tx, Resources, ClaimedTask], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class TaskType:
    """Handler, queue, limits and retry policy of the tasks of one name. Times in seconds."""

    name: str
    handler: Handler
    queue: Queue
    time_limit: float
    attempts: int
    on_dead_letter: OnDeadLetter | None
    backoff: float
    longest_backoff: float
    erase_payload: bool = False
    periodic: bool = False


@dataclass(frozen=True, slots=True)
class Periodic:
    """A task type that a scheduler enqueues every `seconds`, if this value is passed to it."""

    task_type: TaskType
    seconds: float


TASK_TYPES: dict[str, TaskType] = {}
"""Every registered task type, by its name."""


class LeaseLost(Exception):
    """Another worker holds the task now; effects of this process for it must not be committed."""


class Retry(Exception):
    """Raised by a handler to be called again: an attempt, but not an error.

    `after` in seconds, the backoff of the task type by default; `reason` is stored on the row until then.
    """

    def __init__(self, after: float | None = None, reason: str | None = None) -> None:
        super().__init__(reason or f"again in {after} s")
        self.after = after


class PermanentFailure(Exception):
    """Raised by a handler that can never succeed: the task is dead-lettered without further attempts."""


def register(
    name: str,
    handler: Handler,
    *,
    queue: Queue = "interactive",
    time_limit: float = 60,
    attempts: int = 5,
    on_dead_letter: OnDeadLetter | None = None,
    backoff: float = 2.0,
    longest_backoff: float = 300.0,
    erase_payload: bool = False,
    periodic: bool = False,
) -> TaskType:
    """Register a task type. `on_dead_letter(tx, resources, task)` runs in the transaction that dead-letters a task.

    With `erase_payload` the payload is emptied in the transaction that finishes the task, and its dead letters
    are deleted after a week: for payloads that must not be kept, such as messages.

    Raises ValueError if the name is registered with another handler.
    """
    task_type = TaskType(
        name, handler, queue, time_limit, attempts, on_dead_letter, backoff, longest_backoff, erase_payload, periodic
    )
    registered = TASK_TYPES.setdefault(name, task_type)
    if registered.handler is not handler:
        raise ValueError(f"the task {name} is registered with two handlers")
    return registered


def register_periodic(name: str, handler: Handler, seconds: float, *, time_limit: float = 300) -> Periodic:
    """Register a task that runs every `seconds`, once per installation, never overlapping itself.

    It runs only if the result is passed to the schedulers.
    """
    return Periodic(register(name, handler, queue="maintenance", time_limit=time_limit, periodic=True), seconds)
