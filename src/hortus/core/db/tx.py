"""The open transaction that functions of all features receive."""

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
    """An open transaction. Only the code that opened it commits it."""

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.get_bind().dialect.name

    def insert(self, table: Any) -> postgresql.Insert:
        """An INSERT with `on_conflict_do_nothing` and `on_conflict_do_update`.

        On SQLite it is the class of that dialect, which has the same methods.
        """
        return cast("postgresql.Insert", (postgresql if self.dialect == "postgresql" else sqlite).insert(table))

    async def read(self, read: PreparedSelect, **parameters: Any) -> Sequence[Any]:
        """The rows of a prepared select, as this transaction sees them."""
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
    """A read transaction of SQLite on the thread of the event loop: its coroutines never suspend.

    In WAL mode a reader never waits for a lock, and an indexed page of rows takes tens of microseconds, less than a
    thread switch for each step. Writers may wait for each other, so they run in threads.
    """

    def __init__(self, engine: Engine, **options: Any) -> None:
        super().__init__(**options)
        self.sync_session.bind = engine

    async def execute(self, *arguments: Any, **options: Any) -> Any:
        """Execute one statement without suspending."""
        return self.sync_session.execute(*arguments, **options)

    async def rollback(self) -> None:
        """Roll back without suspending."""
        self.sync_session.rollback()

    async def close(self) -> None:
        """Return the connection without suspending."""
        self.sync_session.close()

    async def __aexit__(self, *error: object) -> None:
        self.sync_session.close()
