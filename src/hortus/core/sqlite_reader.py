"""SQLite read on the event loop's own thread, behind the interface of aiosqlite.

In WAL mode a reader never waits for a lock, and a page of rows found by an index takes tens of
microseconds; handing each step of it to a thread and back takes longer than the work. So readers
run where they are called. Writers may have to wait for one another: they stay in a thread.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Self


class InlineCursor:
    """A cursor whose coroutines never wait."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Run one statement."""
        self._cursor.execute(statement, parameters)

    async def executemany(self, statement: str, parameters: Iterable[Sequence[Any]]) -> None:
        """Run one statement many times."""
        self._cursor.executemany(statement, parameters)

    async def fetchall(self) -> list[Any]:
        """Every row that is left."""
        return self._cursor.fetchall()

    async def close(self) -> None:
        """Let go of the statement."""
        self._cursor.close()

    @property
    def description(self) -> Any:
        """The columns, or None for a statement without rows."""
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        """How many rows the statement changed."""
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        """The last row inserted."""
        return self._cursor.lastrowid


class InlineConnection:
    """A connection whose coroutines never wait."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection: sqlite3.Connection | None = connection

    @property
    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise ValueError("Connection closed")
        return self._connection

    def cursor(self) -> InlineCursor:
        """A new cursor."""
        return InlineCursor(self._opened.cursor())

    async def create_function(self, *arguments: Any, **options: Any) -> None:
        """Make a Python function known to SQL."""
        self._opened.create_function(*arguments, **options)

    async def rollback(self) -> None:
        """End the transaction, forgetting what it wrote."""
        self._opened.rollback()

    async def close(self) -> None:
        """Close; again is fine."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def stop(self) -> None:
        """Close at once."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


async def connect(path: str) -> InlineConnection:
    """Open the file; transactions are begun by whoever uses the connection."""
    return InlineConnection(sqlite3.connect(path, isolation_level=None, check_same_thread=False))
