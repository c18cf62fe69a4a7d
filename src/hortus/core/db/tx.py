"""The open transaction that every feature works in."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from sqlalchemy import Engine
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from hortus.core.configuration import Configuration, G
from hortus.core.db.compiled_select import PreparedSelect

CONFIGURATION = "configuration"
AfterCommit = Callable[[], Awaitable[None] | None]


class Tx(AsyncSession):
    """An open transaction. Whoever opened it commits it; everybody else only works in it."""

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.get_bind().dialect.name

    def insert(self, table: Any) -> postgresql.Insert:
        """An INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update`.

        SQLite's own class stands behind it there; the verbs and words that both have are the same.
        """
        return cast("postgresql.Insert", (postgresql if self.dialect == "postgresql" else sqlite).insert(table))

    async def read(self, read: PreparedSelect, **parameters: Any) -> Sequence[Any]:
        """The rows of a read of the hot path, as this transaction sees them."""
        return (await self.execute(read.statement, parameters)).all()

    def settings(self, group: type[G]) -> G:
        """The settings group of that class, as it was read when the process started. Raises LookupError without one."""
        configuration: Configuration | None = self.info.get(CONFIGURATION)
        if configuration is None:
            raise LookupError("no configuration was read at start")
        return configuration.get(group)

    def after_commit(self, callback: AfterCommit) -> None:
        """Run `callback` once the commit is durable, outside the transaction; never on rollback."""
        self.info.setdefault("after_commit", []).append(callback)


class InlineTx(Tx):
    """SQLite read on the event loop's own thread: the coroutines of this transaction never wait.

    In WAL mode a reader never waits for a lock, and a page of rows found by an index takes tens of microseconds;
    handing each step of it to a thread and back takes longer than the work. Writers may have to wait for one
    another: they stay in a thread.
    """

    def __init__(self, engine: Engine, **options: Any) -> None:
        super().__init__(**options)
        self.sync_session.bind = engine

    async def execute(self, *arguments: Any, **options: Any) -> Any:
        """Run one statement, at once."""
        return self.sync_session.execute(*arguments, **options)

    async def rollback(self) -> None:
        """Undo, at once."""
        self.sync_session.rollback()

    async def close(self) -> None:
        """Give the connection back, at once."""
        self.sync_session.close()

    async def __aexit__(self, *error: object) -> None:
        self.sync_session.close()
