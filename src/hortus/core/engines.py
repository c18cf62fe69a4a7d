"""The engines beneath `core.db`: how a connection is made, how long it may take, what its errors mean."""

import platform
import sys
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

CLASHED = frozenset({"40001", "40P01"})
"""PostgreSQL undid the whole transaction because of others, a deadlock say: the same again may well succeed."""
TOOK_TOO_LONG = frozenset({"55P03", "57014", "25P03", "25P04"})
"""A lock not had in time, a statement not done in time, a transaction left idle or open for too long."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How the connections of one role behave on PostgreSQL; times are seconds, 0 is without end.

    `pgbouncer` is for pools of transactions: nothing is expected of a connection but the transaction at hand.
    """

    role: str = "console"
    statement: float = 0
    lock: float = 0
    idle: float = 0
    overflow: int | None = None
    pool_wait: float = 10
    pgbouncer: bool = False

    def settings(self) -> dict[str, str]:
        """The server's settings that keep the times, in milliseconds."""
        times = {
            "statement_timeout": self.statement,
            "lock_timeout": self.lock,
            "idle_in_transaction_session_timeout": self.idle,
        }
        return {name: str(round(seconds * 1000)) for name, seconds in times.items()}

    @property
    def name(self) -> str:
        """Who this is in `pg_stat_activity`."""
        return f"hortus {self.role} {platform.node()}"[:63]


def postgresql_engine(url: URL, manners: Manners, *, pool_size: int, echo: bool = False) -> AsyncEngine:
    """A pool of connections that keep `manners`."""
    server_settings = {"application_name": manners.name, "jit": "off"}
    arguments: dict[str, Any] = {"server_settings": server_settings, "timeout": 10}
    if manners.pgbouncer:
        del server_settings["jit"]  # it refuses start-up parameters that it does not know
        # Another connection of the server may come with the next transaction: no statement is kept for it, and
        # those of this one bear names that no other has.
        arguments |= {
            "statement_cache_size": 0,
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": lambda: f"hortus_{uuid4().hex}",
        }
    else:
        server_settings.update(manners.settings())
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size if manners.overflow is None else manners.overflow,
        pool_timeout=manners.pool_wait,
        pool_recycle=1800,
        echo=echo,
        connect_args=arguments,
    )
    _leave_what_is_closed(engine)
    if manners.pgbouncer:
        _say_at_each_begin(engine, manners.settings())
    return engine


def _leave_what_is_closed(engine: AsyncEngine) -> None:
    """The driver knows of a connection that the server closed; to ask the server as well costs a journey each time."""

    @event.listens_for(engine.sync_engine, "checkout")
    def look(connection: Any, _record: Any, _proxy: Any) -> None:
        if connection.driver_connection.is_closed():
            raise DisconnectionError("closed by the server")


def _say_at_each_begin(engine: AsyncEngine, settings: dict[str, str]) -> None:
    """Where a connection is not ours for longer than a transaction, each transaction is told its times."""
    said = "SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Any) -> None:
        connection.exec_driver_sql(said)


def sqlite_engine(url: URL, *, begin: str, pool_size: int, echo: bool = False) -> AsyncEngine:
    """A pool of connections, each in a thread of its own, whose transactions start with `begin`."""
    engine = create_async_engine(
        url, pool_size=pool_size, max_overflow=0, pool_timeout=60, echo=echo, connect_args=_NO_TRANSACTIONS
    )
    _prepare_sqlite(engine.sync_engine, begin, _CACHE)
    return engine


def inline_engine(url: URL, *, pool_size: int, echo: bool = False) -> Engine:
    """A pool of connections to SQLite that read where they are called; one more than it holds is made and dropped.

    Each keeps two megabytes of pages: what it keeps is void with the next write of anybody, and the system keeps the
    file in memory for all of them.
    """
    arguments = {**_NO_TRANSACTIONS, "check_same_thread": False}
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        pool_size=pool_size,
        max_overflow=-1,  # to wait for a connection would stop the loop that gives it back
        echo=echo,
        connect_args=arguments,
    )
    _prepare_sqlite(engine, "BEGIN", _CACHE_OF_A_READER)
    return engine


_NO_TRANSACTIONS: dict[str, Any] = {"isolation_level": None}
"""None of the driver's own: we say BEGIN ourselves."""

_CACHE, _CACHE_OF_A_READER = 16_000, 2_000
"""KiB of pages that a connection keeps."""


def _prepare_sqlite(engine: Engine, begin: str, cache: int) -> None:
    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in (
            "busy_timeout=20000",
            "journal_mode=WAL",
            "synchronous=FULL",  # an accepted generation survives a power cut too
            "foreign_keys=ON",
            "temp_store=MEMORY",
            f"cache_size=-{cache}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def start(connection: Any) -> None:
        connection.exec_driver_sql(begin)


def is_away(error: BaseException) -> bool:
    """Whether the database cannot be reached. Nobody else is called inside a transaction, so it is the database."""
    if isinstance(error, FileNotFoundError):
        return error.filename is None  # no socket where the server should listen; a missing file has a name
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(getattr(error.orig, "__cause__", None), _lost())
    lost: tuple[type[BaseException], ...] = (PoolTimeout, *_lost(), ConnectionError, TimeoutError)
    return isinstance(error, lost) or isinstance(error.__cause__, _lost())  # the second where the pool connects for us


def _lost() -> tuple[type[BaseException], ...]:
    """What PostgreSQL's driver raises for a connection that is gone or not to be had; it is loaded where it is used."""
    asyncpg = sys.modules.get("asyncpg")
    if asyncpg is None:
        return ()
    return (
        asyncpg.PostgresConnectionError,
        asyncpg.TooManyConnectionsError,
        asyncpg.CannotConnectNowError,
        asyncpg.AdminShutdownError,
    )


def sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's code of an error, `40P01` say; None for errors that are not its."""
    inner = error.orig if isinstance(error, DBAPIError) else error
    return getattr(inner, "sqlstate", None)


def has_clashed(error: BaseException | None) -> bool:
    """Whether this error, or the one behind it, says that the transaction may be repeated from its beginning."""
    return error is not None and (sqlstate(error) in CLASHED or sqlstate(error.__cause__ or error) in CLASHED)
