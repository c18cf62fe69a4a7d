"""The open transaction that functions of all features receive."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Engine
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from hortus.core.cache import CacheVersions
from hortus.core.configuration import Configuration, D
from hortus.core.db.compiled_select import PreparedSelect
from hortus.core.events import Bus

AfterCommit = Callable[[], Awaitable[None] | None]


@dataclass(slots=True)
class TxContext:
    """Objects that every transaction of a database can use: settings, cache versions, the event bus.

    A process fills it when it starts; without `cache_versions` and `events`, as in a command of an operator, nothing
    is invalidated or published.
    """

    configuration: Configuration | None = None
    cache_versions: CacheVersions | None = None
    events: Bus | None = None


class Tx(AsyncSession):
    """An open transaction. Only the code that opened it commits it."""

    def __init__(self, *arguments: Any, context: TxContext, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.context = context
        self.after_commit_callbacks: list[AfterCommit] = []
        self._invalidated: dict[bool, list[str]] = {}

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

    def settings(self, group: type[D]) -> D:
        """The settings group of that class, as it was read when the process started. Raises LookupError without one."""
        return self.configuration.get(group)

    def derived(self, build: Callable[[Configuration], D]) -> D:
        """A value that `build` derives from the settings, such as a key; built once per process."""
        return self.configuration.derived(build)

    @property
    def configuration(self) -> Configuration:
        """The settings of this process. Raises LookupError if none were read."""
        if self.context.configuration is None:
            raise LookupError("no configuration was read at start")
        return self.context.configuration

    def invalidate_cache(self, *names: str, wait: bool = True) -> None:
        """Invalidate the cache entries of `names` in every process after the commit, before the response.

        With `wait` the response is delayed until every process is reached, or the entries of those that are not have
        expired: `cache_versions.lease` seconds at most. Without it an unreachable Redis delays nothing.
        """
        versions = self.context.cache_versions
        if versions is None or not names:
            return
        if wait in self._invalidated:
            self._invalidated[wait] += names
            return
        listed = self._invalidated[wait] = list(names)
        seconds = versions.lease if wait else 0.0
        self.after_commit(lambda: versions.invalidate(tuple(listed), seconds))

    def publish(self, topic: str, name: str, data: dict[str, Any]) -> None:
        """Publish an event on the bus of this process, if it has one, once this transaction has committed."""
        bus = self.context.events
        if bus is not None:
            self.after_commit(lambda: _publish(bus, topic, name, data))

    def after_commit(self, callback: AfterCommit) -> None:
        """Run `callback` once the commit is durable, outside the transaction; never on rollback."""
        self.after_commit_callbacks.append(callback)


def _publish(bus: Bus, topic: str, name: str, data: dict[str, Any]) -> None:
    bus.publish(topic, name, data)


class InlineTx(Tx):
    """A read transaction of SQLite on the thread of the event loop: its coroutines never suspend.

    In WAL mode a reader never waits for a lock, and an indexed page of rows takes tens of microseconds, less than a
    thread switch for each step. Writers may wait for each other, so they run in threads.
    """

    def __init__(self, engine: Engine, *, context: TxContext, **options: Any) -> None:
        super().__init__(context=context, **options)
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
