"""The database: SQLite by default, PostgreSQL by setting; the same verbs on both.

A write transaction on SQLite takes the write lock at its start (`BEGIN IMMEDIATE`) and
writers of one process queue fairly for it; readers never wait (WAL). This module is the
only one that commits.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import asyncpg
import structlog
from sqlalchemy import DDL, DateTime, Dialect, MetaData, String, Table, TypeDecorator, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql.expression import FunctionElement

from hortus.core import context, sqlite_reader
from hortus.core.errors import Unavailable

log = structlog.get_logger()
AfterCommit = Callable[[], Awaitable[None] | None]
T = TypeVar("T")


class Moment(TypeDecorator[datetime]):
    """An aware UTC datetime on both databases (SQLite keeps it as sortable text)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times; store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime never enters the database")
        utc = value.astimezone(UTC)
        return utc if dialect.name == "postgresql" else utc.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back an aware time."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def id_type() -> String:
    """The column type of ids: 36 characters, compared by bytes so that order is order of birth."""
    return String(36).with_variant(String(36, collation="C"), "postgresql")


class Base(DeclarativeBase):
    """The base of every table class."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Moment}  # noqa: RUF012 - SQLAlchemy's own name and shape


class db_now(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function it is
    """The database's clock plus `seconds`, for leases: hosts may disagree on the time, one database does not."""

    type = Moment()
    inherit_cache = False

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self.seconds = float(seconds)


@compiles(db_now, "postgresql")
def _now_on_postgresql(element: db_now, _compiler: Any, **_: Any) -> str:
    return f"(clock_timestamp() + interval '{element.seconds:.3f} seconds')"


@compiles(db_now, "sqlite")
def _now_on_sqlite(element: db_now, _compiler: Any, **_: Any) -> str:
    # Three zeros: stored times have microseconds and are compared as text.
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', '{element.seconds:+.3f} seconds') || '000')"


class Tx(AsyncSession):
    """An open transaction. Whoever opened it commits it; everybody else only works in it."""

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.get_bind().dialect.name

    def after_commit(self, callback: AfterCommit) -> None:
        """Run `callback` once the commit is durable, outside the transaction; never on rollback."""
        self.info.setdefault("after_commit", []).append(callback)


_PLAIN: dict[str, Any] = {"synchronize_session": False}
"""Updates go to the database and nowhere else: matching them against objects in memory costs more than they do."""


class NestedTransaction(RuntimeError):
    """A transaction was opened inside another one: a programming error that would deadlock SQLite."""


def _away() -> Unavailable:
    """Whether a commit on its way took place is not known: an idempotency key tells."""
    detail = "Try again in a little while, with the same `Idempotency-Key` if you sent one."
    return Unavailable(detail, headers={"Retry-After": "2"}, retry_after=2)


def _is_away(error: Exception) -> bool:
    """Nobody else is called inside a transaction, so a broken connection is the database's."""
    if isinstance(error, FileNotFoundError):
        return error.filename is None  # no socket where the server should listen; a missing file has a name
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(
            getattr(error.orig, "__cause__", None), (asyncpg.PostgresConnectionError, *_NO_ROOM)
        )
    return isinstance(error, (PoolTimeout, asyncpg.PostgresConnectionError, *_NO_ROOM, ConnectionError))


_NO_ROOM = (asyncpg.TooManyConnectionsError, asyncpg.CannotConnectNowError, asyncpg.AdminShutdownError)


class Database:
    """The engine and its transactions. One per process."""

    def __init__(self, url: str, *, pool_size: int = 10, echo: bool = False) -> None:
        self.url = normalise_url(url)
        self.carried: dict[str, Any] = {}
        """What every transaction brings along in its `info`, such as the key that seals messages."""
        self.dialect = self.url.get_backend_name()
        if self.dialect == "sqlite":
            self._writer = _sqlite_engine(self.url, begin="BEGIN IMMEDIATE", pool_size=1, echo=echo)
            reader = partial(sqlite_reader.connect, self.url.database or "")
            self._reader = _sqlite_engine(self.url, begin="BEGIN", pool_size=pool_size, echo=echo, async_creator=reader)
        else:
            self._writer = self._reader = create_async_engine(
                self.url, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True, pool_recycle=1800, echo=echo
            )

    @property
    def engine(self) -> AsyncEngine:
        """The engine that writes; for migrations and tests."""
        return self._writer

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """A write transaction: commits at the end of the block, rolls back on any exception."""
        async with self._open(self._writer) as tx:
            yield tx
            await tx.commit()
        await _run_after_commit(tx)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Tx]:
        """A transaction for reading; whatever it writes is rolled back."""
        async with self._open(self._reader) as tx:
            yield tx
            tx.expunge_all()  # what was read stays readable; a rollback would expire it
            await tx.rollback()

    @asynccontextmanager
    async def long_snapshot(self) -> AsyncIterator[Tx]:
        """A transaction that may read for long: on SQLite in a thread of its own, so that nobody waits for it."""
        if self.dialect != "sqlite":
            async with self.snapshot() as tx:
                yield tx
            return
        engine = _sqlite_engine(self.url, begin="BEGIN", pool_size=1)
        try:
            async with self._open(engine) as tx:
                yield tx
                tx.expunge_all()
                await tx.rollback()
        finally:
            await engine.dispose()

    @asynccontextmanager
    async def _open(self, engine: AsyncEngine) -> AsyncIterator[Tx]:
        if context.transaction_open.get():
            raise NestedTransaction("a transaction is open already")
        mark = context.transaction_open.set(True)
        try:
            async with Tx(
                engine, expire_on_commit=False, autoflush=False, execution_options=_PLAIN, info=self.carried
            ) as tx:
                yield tx
        except Exception as error:
            if not _is_away(error):
                raise
            log.warning("database_away", error=f"{type(error).__name__}: {error}"[:300])
            raise _away() from error
        finally:
            context.transaction_open.reset(mark)

    async def close(self) -> None:
        """Close every pooled connection."""
        await self._writer.dispose()
        if self._reader is not self._writer:
            await self._reader.dispose()


async def _run_after_commit(tx: Tx) -> None:
    for callback in tx.info.get("after_commit", ()):
        try:
            result = callback()
            if result is not None:
                await result
        except Exception:
            log.exception("after_commit_failed")


def normalise_url(url: str) -> URL:
    """The URL with the async driver named, whichever way the operator wrote it."""
    parsed = make_url(url)
    backend = "postgresql" if parsed.drivername.startswith("postgres") else parsed.get_backend_name()
    if backend == "postgresql":
        query = dict(parsed.query)
        mode = query.pop("sslmode", None)  # asyncpg calls it `ssl`
        if mode is not None:
            query["ssl"] = mode
        return parsed.set(drivername="postgresql+asyncpg", query=query)
    if backend == "sqlite":
        return parsed.set(drivername="sqlite+aiosqlite")
    raise ValueError(f"{backend} is not supported: use sqlite or postgresql")


def _sqlite_engine(url: URL, *, begin: str, **options: Any) -> AsyncEngine:
    # No transaction of the driver's own: we say BEGIN ourselves.
    engine = create_async_engine(
        url, max_overflow=0, pool_timeout=60, connect_args={"isolation_level": None}, **options
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in (
            "busy_timeout=20000",
            "journal_mode=WAL",
            "synchronous=FULL",  # an accepted generation survives a power cut too
            "foreign_keys=ON",
            "temp_store=MEMORY",
            "cache_size=-16000",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine


def append_only(table: Table) -> None:
    """Let both databases refuse UPDATE and DELETE on `table`, whoever tries.

    Attached to `create_all`; migrations call `append_only_statements` themselves.
    """
    for dialect in ("sqlite", "postgresql"):
        for statement in append_only_statements(table.name, dialect):
            event.listen(table, "after_create", _ddl(statement, dialect))


def _ddl(statement: str, dialect: str) -> DDL:
    escaped = statement.replace("%", "%%")
    return DDL(escaped).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]


def append_only_statements(table: str, dialect: str) -> Sequence[str]:
    """The DDL behind `append_only`."""
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb.upper()} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for verb in ("update", "delete")
        ]
    return [
        (
            f"CREATE OR REPLACE FUNCTION {table}_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
        ),
        (
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_is_append_only()"
        ),
    ]
