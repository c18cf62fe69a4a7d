"""Signals: hooks by which a lower package calls higher ones that it must not import.

`accounts` sends that a user was verified; `main` connects the sign-up bonus of `ledger`. Handlers run in the
transaction of the sender and commit with it.
"""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from hortus.core.db import Tx

T = TypeVar("T")
Handler = Callable[[Tx, T], Awaitable[None]]


class Signal(Generic[T]):
    """A named hook with a payload."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._handlers: list[Handler[T]] = []

    def connect(self, handler: Handler[T]) -> None:
        """Call `handler(tx, payload)` for every `send`; connecting again has no effect."""
        if handler not in self._handlers:
            self._handlers.append(handler)

    def disconnect(self, handler: Handler[T]) -> None:
        """Remove the handler."""
        if handler in self._handlers:
            self._handlers.remove(handler)

    async def send(self, tx: Tx, payload: T) -> None:
        """Run the handlers in the order of connection; the first exception propagates and aborts the transaction."""
        for handler in self._handlers:
            await handler(tx, payload)
