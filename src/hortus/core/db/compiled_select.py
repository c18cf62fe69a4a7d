"""SELECTs of hot paths, compiled once and executed below the ORM.

They need no session, no surrounding transaction and no cursor: on SQLite these cost ten times as much as the query,
on PostgreSQL two more round trips.
"""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sqlalchemy import Dialect, Engine, Select, TextualSelect
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from hortus.core.db.engines import hide_values, outage

Convert = Callable[[Any], Any]


class PreparedSelect:
    """A SELECT whose parameters are declared by `bindparam`; text needs its `columns`, sums are BigInteger.

    Literal values in the statement are kept; `in_` is not supported.
    """

    def __init__(self, statement: "Select[*tuple[Any, ...]] | TextualSelect") -> None:
        self.statement = statement
        self._compiled: dict[str, CompiledSelect] = {}

    def compiled(self, dialect: Dialect) -> "CompiledSelect":
        """The statement compiled for that database."""
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = CompiledSelect(self, dialect)
        return found


class CompiledSelect:
    """The SQL of a select for one database, with the conversions of its parameters and columns."""

    def __init__(self, read: PreparedSelect, dialect: Dialect) -> None:
        compiled = read.statement.compile(dialect=dialect)
        columns = list(read.statement.selected_columns)
        self.text = str(compiled)
        self._names: Sequence[str] = compiled.positiontup or ()
        bound = {name: each.type.dialect_impl(dialect) for name, each in compiled.binds.items()}
        self._bind = {name: found for name, kind in bound.items() if (found := kind.bind_processor(dialect))}
        fixed = {name: each.effective_value for name, each in compiled.binds.items() if not each.required}
        self._fixed = {name: self._bind[name](value) if name in self._bind else value for name, value in fixed.items()}
        results = (column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns)
        self._result: list[tuple[int, Convert]] = [(place, found) for place, found in enumerate(results) if found]
        self._row: Any = namedtuple("Row", [column.key for column in columns], rename=True)  # type: ignore[misc] # noqa: PYI024 - fields known at run time

    def values(self, parameters: dict[str, Any]) -> list[Any]:
        """The parameters in the order of the placeholders."""
        bind = self._bind
        given = {name: bind[name](value) if name in bind else value for name, value in parameters.items()}
        return [given[name] if name in given else self._fixed[name] for name in self._names]

    def row(self, found: Sequence[Any]) -> Any:
        """A row whose columns have their names and types."""
        if not self._result:
            return self._row._make(found)
        values = list(found)
        for place, convert in self._result:
            values[place] = convert(values[place])
        return self._row._make(values)


class Executor(Protocol):
    """Executes prepared selects: an open transaction, or the database for a single statement."""

    async def read(self, read: PreparedSelect, **parameters: Any) -> Sequence[Any]:
        """The rows of one statement."""


class InlineExecutor:
    """SQLite: one connection, used on the thread of the event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Any = None

    async def read(self, read: PreparedSelect, **parameters: Any) -> Sequence[Any]:
        """The rows of one statement."""
        if self._connection is None:
            self._connection = self._engine.raw_connection()
        sent = read.compiled(self._engine.dialect)
        try:
            found = self._connection.driver_connection.execute(sent.text, sent.values(parameters)).fetchall()
        except sqlite3.OperationalError:  # the next statement opens the file again
            self._connection.invalidate()
            self._connection = None
            raise
        return [sent.row(each) for each in found]

    def close(self) -> None:
        """Close the connection, and all others of its engine."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._engine.dispose()


class PostgresExecutor:
    """PostgreSQL: a pooled connection in autocommit mode."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def read(self, read: PreparedSelect, **parameters: Any) -> Sequence[Any]:
        """The rows of one statement."""
        connection = await self._engine.raw_connection()
        try:
            sent = read.compiled(self._engine.dialect)
            found = await connection.driver_connection.fetch(sent.text, *sent.values(parameters))  # type: ignore[union-attr]
        except Exception as error:
            if outage(error) not in (None, "busy"):
                await greenlet_spawn(connection.invalidate, error)
            hide_values(error)
            raise
        finally:
            await greenlet_spawn(connection.close)  # the pool may close it
        return [sent.row(each) for each in found]
