"""What kinds of task there are, and what a handler is given."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from hortus.core.db import Tx
from hortus.core.resources import Resources

Queue = Literal["interactive", "media", "mail", "maintenance"]
QUEUES: tuple[Queue, ...] = ("interactive", "media", "mail", "maintenance")


@dataclass(slots=True, eq=False)
class Claimed:
    """A task this process holds a lease on. `closed` once its end is durable: there is nothing left to write."""

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


Handler = Callable[[Resources, Claimed], Awaitable[None]]
OnDead = Callable[[Tx, Resources, Claimed], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Kind:
    """How tasks of one name are done. `time_limit`, `backoff` and `longest_backoff` in seconds."""

    name: str
    handler: Handler
    queue: Queue
    time_limit: float
    attempts: int
    on_dead: OnDead | None
    backoff: float
    longest_backoff: float
    forget: bool = False
    periodic: bool = False


@dataclass(frozen=True, slots=True)
class Periodic:
    """A kind that a scheduler enqueues every `seconds`, where it is given this value."""

    kind: Kind
    seconds: float


@dataclass(slots=True)
class _Registry:
    kinds: dict[str, Kind] = field(default_factory=dict)


registry = _Registry()


class LeaseLost(Exception):
    """Somebody else holds the task now; nothing this process did for it may commit."""


class Retry(Exception):
    """Raised by a handler that wants to be called again; not an error, still an attempt.

    `after` in seconds, by the kind's own backoff without it; `reason` is kept on the row while it waits.
    """

    def __init__(self, after: float | None = None, reason: str | None = None) -> None:
        super().__init__(reason or f"again in {after} s")
        self.after = after


class Dead(Exception):
    """Raised by a handler that will never succeed: straight to the dead letters."""


def define(
    name: str,
    handler: Handler,
    *,
    queue: Queue = "interactive",
    time_limit: float = 60,
    attempts: int = 5,
    on_dead: OnDead | None = None,
    backoff: float = 2.0,
    longest_backoff: float = 300.0,
    forget: bool = False,
    periodic: bool = False,
) -> Kind:
    """Make a kind of task known. `on_dead(tx, resources, task)` runs in the transaction that dead-letters it.

    With `forget` the payload is emptied in the transaction that ends the task well, and its dead letters
    are deleted after a week: what such tasks carry must not stay.

    Raises ValueError when the name is taken by another handler.
    """
    kind = Kind(name, handler, queue, time_limit, attempts, on_dead, backoff, longest_backoff, forget, periodic)
    known = registry.kinds.setdefault(name, kind)
    if known.handler is not handler:
        raise ValueError(f"two handlers for the task {name}")
    return known


def every(name: str, handler: Handler, seconds: float, *, time_limit: float = 300) -> Periodic:
    """A kind of task to run every `seconds`, once for the whole installation, never overlapping itself.

    It runs in an installation whose schedulers are given the value; defining it starts nothing.
    """
    return Periodic(define(name, handler, queue="maintenance", time_limit=time_limit, periodic=True), seconds)
