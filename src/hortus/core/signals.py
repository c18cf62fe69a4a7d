"""How a lower feature lets higher ones take part without knowing them.

`accounts` announces that a user was verified; `main` connects the sign-up bonus of `ledger`.
Handlers run in the sender's transaction: all of it happens or none.
"""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from hortus.core.db import Tx

T = TypeVar("T")
Handler = Callable[[Tx, T], Awaitable[None]]


class Signal(Generic[T]):
    """A named moment with a payload."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._handlers: list[Handler[T]] = []

    def connect(self, handler: Handler[T]) -> None:
        """Call `handler(tx, payload)` at every send; connecting twice is once."""
        if handler not in self._handlers:
            self._handlers.append(handler)

    def disconnect(self, handler: Handler[T]) -> None:
        """Call it no more."""
        if handler in self._handlers:
            self._handlers.remove(handler)

    async def send(self, tx: Tx, payload: T) -> None:
        """Run the handlers in the order they were connected; the first error stops the transaction."""
        for handler in self._handlers:
            await handler(tx, payload)
