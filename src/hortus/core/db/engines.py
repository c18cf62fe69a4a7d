"""SQLAlchemy engines of both databases: connection set-up, timeouts, and the classification of errors."""

import errno
import os
import platform
import socket
import sqlite3
import sys
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

RETRYABLE = frozenset({"40001", "40P01"})
"""SQLSTATEs of deadlocks and serialization failures: the transaction may be retried."""
TOOK_TOO_LONG = frozenset({"55P03", "57014", "25P03", "25P04"})
"""SQLSTATEs of lock, statement, idle-in-transaction and transaction timeouts."""
Outage = Literal["unreachable", "read_only", "full", "failing", "busy"]
"""States of a database that cannot serve: unreachable or refusing connections; read-only; disk full; failing disk,
memory or files; busy with other transactions, or a timeout."""
_OUTAGE_BY_STATE: dict[str, Outage] = {
    "08": "unreachable",  # connection exceptions
    "25006": "read_only",  # after a failover the server of this connection is a replica
    "28": "unreachable",  # the password is no longer valid
    "3D000": "unreachable",  # no such database
    "53": "unreachable",  # out of connections or memory
    "53100": "full",
    "53200": "failing",
    "57P": "unreachable",  # shutting down, crashed, starting
    "58": "failing",  # input and output
    "XX001": "failing",  # a damaged page
    "XX002": "failing",  # a damaged index
    **dict.fromkeys(RETRYABLE | TOOK_TOO_LONG, "busy"),
}
"""By SQLSTATE or a prefix of it; the longest match counts."""
_OUTAGE_BY_SQLITE_CODE: dict[int, Outage] = {
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_PROTOCOL: "busy",
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_PERM: "read_only",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_CANTOPEN: "unreachable",
    sqlite3.SQLITE_NOTADB: "failing",
    sqlite3.SQLITE_CORRUPT: "failing",
    sqlite3.SQLITE_IOERR: "failing",
    sqlite3.SQLITE_NOMEM: "failing",
}
_NETWORK = frozenset(
    {
        errno.EADDRNOTAVAIL, errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTDOWN,
        errno.EHOSTUNREACH, errno.EMFILE, errno.ENETDOWN, errno.ENETUNREACH, errno.ENFILE, errno.ENOBUFS,
        errno.ENOTCONN, errno.EPIPE, errno.ETIMEDOUT,
    }
)  # fmt: skip
UNANSWERED_SECONDS = 8
"""A connection to PostgreSQL is closed when its peer has not responded for so long (Linux)."""
CONNECT_SECONDS = 5.0
CLIENT_TIMEOUT_MARGIN = 5.0
"""Added to the statement timeout of PostgreSQL for the timeout of the client."""


@dataclass(frozen=True, slots=True)
class ConnectionProfile:
    """PostgreSQL connection profile of a process role: pool and timeouts (statement, lock, idle) in seconds, 0 = none.

    `pgbouncer` is for transaction pooling: no state of a connection outlives a transaction.
    """

    role: str = "console"
    statement: float = 0
    lock: float = 0
    idle: float = 0
    overflow: int | None = None
    pool_wait: float = 10
    pgbouncer: bool = False

    def settings(self) -> dict[str, str]:
        """The server settings of the timeouts, in milliseconds."""
        times = {
            "statement_timeout": self.statement,
            "lock_timeout": self.lock,
            "idle_in_transaction_session_timeout": self.idle,
        }
        return {name: str(round(seconds * 1000)) for name, seconds in times.items()}

    @property
    def name(self) -> str:
        """The `application_name`, as shown in `pg_stat_activity`."""
        return f"hortus {self.role} {platform.node()}"[:63]


def postgresql_engine(url: URL, profile: ConnectionProfile, *, pool_size: int, echo: bool = False) -> AsyncEngine:
    """An engine whose connections have this profile."""
    server_settings = {"application_name": profile.name, "jit": "off"}
    arguments: dict[str, Any] = {"server_settings": server_settings, "timeout": CONNECT_SECONDS}
    if profile.statement:  # the server's timeout cannot be received over a dead connection
        arguments["command_timeout"] = profile.statement + CLIENT_TIMEOUT_MARGIN
    if profile.pgbouncer:
        del server_settings["jit"]  # it rejects unknown start-up parameters
        # The next transaction may use another server connection: no statement is cached, and the names of prepared
        # statements are unique.
        arguments |= {
            "statement_cache_size": 0,
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": lambda: f"hortus_{uuid4().hex}",
        }
    else:
        server_settings.update(profile.settings())
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size if profile.overflow is None else profile.overflow,
        pool_timeout=profile.pool_wait,
        pool_recycle=1800,
        echo=echo,
        hide_parameters=True,
        connect_args=arguments,
    )
    _skip_closed_connections(engine)
    _set_keepalive(engine)
    _invalidate_after_outages(engine.sync_engine)
    _hide_values(engine.sync_engine)
    if profile.pgbouncer:
        _set_timeouts_at_begin(engine, profile.settings())
    return engine


def _skip_closed_connections(engine: AsyncEngine) -> None:
    """Skip connections that the server closed: the driver has this state, so no ping is needed."""

    @event.listens_for(engine.sync_engine, "checkout")
    def look(connection: Any, _record: Any, _proxy: Any) -> None:
        if connection.driver_connection.is_closed():
            raise DisconnectionError("closed by the server")


def _set_keepalive(engine: AsyncEngine) -> None:
    """Detect a connection whose peer vanished within seconds, not a quarter of an hour."""
    limit = getattr(socket, "TCP_USER_TIMEOUT", None)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        transport = getattr(connection.driver_connection, "_transport", None)
        line = transport.get_extra_info("socket") if transport is not None else None
        if line is None or line.family not in (socket.AF_INET, socket.AF_INET6):
            return
        with socket.socket(fileno=os.dup(line.fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if limit is not None:
                same.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, UNANSWERED_SECONDS // 2)
                same.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2)
                same.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2)
                same.setsockopt(socket.IPPROTO_TCP, limit, UNANSWERED_SECONDS * 1000)


def _invalidate_after_outages(engine: Engine) -> None:
    """Invalidate the connection that met an outage, and the whole pool with it."""

    @event.listens_for(engine, "handle_error")
    def drop(failure: Any) -> None:
        if outage(failure.original_exception) not in (None, "busy"):
            failure.is_disconnect = True


def _hide_values(engine: Engine) -> None:
    """Remove values from PostgreSQL's errors before logging; `hide_parameters` covers only SQLAlchemy's text."""

    @event.listens_for(engine, "handle_error")
    def hide(context: Any) -> None:
        hide_values(context.original_exception)
        if context.sqlalchemy_exception is not None:
            text = f"({type(context.original_exception).__name__}) {context.original_exception}"
            context.sqlalchemy_exception.args = (text,)


_MESSAGES_WITH_VALUES = ("22", "42601")
"""SQLSTATEs (or classes) whose message repeats a value: data exceptions, and the syntax of a text search."""


def hide_values(error: BaseException) -> None:
    """Remove all values of rows from an error of asyncpg, or from SQLAlchemy's wrapper of one.

    PostgreSQL repeats values in DETAIL (`Key (email)=(…) already exists`), and in messages about malformed values;
    asyncpg does so in its own errors and their causes.
    """
    asyncpg = sys.modules.get("asyncpg")
    if asyncpg is None:
        return
    wrapper = None if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError) else error
    cause = error if wrapper is None else wrapper.__cause__
    if not isinstance(cause, asyncpg.PostgresError | asyncpg.InterfaceError):
        return
    cause.detail = cause.hint = cause.context = None
    state = getattr(cause, "sqlstate", None)
    if isinstance(cause, ValueError) or (state or "").startswith(_MESSAGES_WITH_VALUES):
        cause.args = (f"malformed value ({type(cause).__name__}, {state})",)
        cause.__cause__ = cause.__context__ = None
    if wrapper is not None:
        wrapper.args = (f"{type(cause)}: {cause}",)
        wrapper.detail = None  # type: ignore[attr-defined] # SQLAlchemy copies it from the driver's error


def _set_timeouts_at_begin(engine: AsyncEngine, settings: dict[str, str]) -> None:
    """Set the timeouts at the start of each transaction, for connections of a transaction pool."""
    statement = "SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Any) -> None:
        connection.exec_driver_sql(statement)


def sqlite_engine(url: URL, *, begin: str, pool_size: int, echo: bool = False) -> AsyncEngine:
    """An engine whose connections each have a thread, and whose transactions start with `begin`."""
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=60,
        echo=echo,
        hide_parameters=True,
        connect_args=_NO_TRANSACTIONS,
    )
    _prepare_sqlite(engine.sync_engine, begin, _CACHE)
    _invalidate_after_outages(engine.sync_engine)
    return engine


def inline_engine(url: URL, *, pool_size: int, echo: bool = False) -> Engine:
    """An engine for SQLite whose connections are used on the calling thread; overflow connections are closed after use.

    Each has a page cache of two megabytes: every write invalidates it, and the operating system caches the file.
    """
    arguments = {**_NO_TRANSACTIONS, "check_same_thread": False}
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        pool_size=pool_size,
        max_overflow=-1,  # waiting for a connection would block the event loop that returns it
        echo=echo,
        hide_parameters=True,
        connect_args=arguments,
    )
    _prepare_sqlite(engine, "BEGIN", _CACHE_OF_A_READER)
    _invalidate_after_outages(engine)
    return engine


_NO_TRANSACTIONS: dict[str, Any] = {"isolation_level": None}
"""The driver starts no transactions; `_prepare_sqlite` sends BEGIN."""

_CACHE, _CACHE_OF_A_READER = 16_000, 2_000
"""Page cache of a connection, in KiB."""


def _prepare_sqlite(engine: Engine, begin: str, cache: int) -> None:
    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in (
            "busy_timeout=20000",
            "journal_mode=WAL",
            "synchronous=FULL",  # an accepted generation survives a power cut
            "foreign_keys=ON",
            "temp_store=MEMORY",
            f"cache_size=-{cache}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def start(connection: Any) -> None:
        connection.exec_driver_sql(begin)


def outage(error: BaseException) -> Outage | None:
    """The outage behind an error; None for an error of the caller or a bug.

    The only classification, for both databases. No other service is called inside a transaction, so a network error
    there concerns the database.
    """
    inner = error.orig if isinstance(error, DBAPIError) else error
    for each in (inner, getattr(inner, "__cause__", None)):  # SQLAlchemy wraps what the driver raised
        found = _outage_of(each) if each is not None else None
        if found is not None:
            return found
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return "unreachable"
    return None


def _outage_of(error: BaseException) -> Outage | None:
    state = getattr(error, "sqlstate", None)
    if state:
        return next((_OUTAGE_BY_STATE[state[:n]] for n in (5, 3, 2) if state[:n] in _OUTAGE_BY_STATE), None)
    if isinstance(error, sqlite3.Error):
        return _OUTAGE_BY_SQLITE_CODE.get((getattr(error, "sqlite_errorcode", None) or 0) & 0xFF)
    if isinstance(error, PoolTimeout):
        return "busy"
    if isinstance(error, (ConnectionError, TimeoutError, DisconnectionError, socket.gaierror)):
        return "unreachable"
    if isinstance(error, OSError) and error.filename is None:  # an error about a local file has its name
        # errno is None when none of several addresses was reachable, ENOENT when a Unix socket is missing.
        is_network = error.errno is None or error.errno == errno.ENOENT or error.errno in _NETWORK
        return "unreachable" if is_network else None
    asyncpg = sys.modules.get("asyncpg")
    if asyncpg is None:
        return None
    # An InterfaceError: the server announced a shutdown, and the connection is not closed yet.
    is_over = isinstance(error, asyncpg.InterfaceError) and "closed" in str(error)
    return "unreachable" if is_over or isinstance(error, asyncpg.InternalClientError) else None


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE of an error, such as `40P01`; None for errors of other origin."""
    inner = error.orig if isinstance(error, DBAPIError) else error
    return getattr(inner, "sqlstate", None)


def is_retryable(error: BaseException | None) -> bool:
    """Whether this error or its cause is a deadlock or serialization failure: the transaction may be retried."""
    return error is not None and (sqlstate(error) in RETRYABLE or sqlstate(error.__cause__ or error) in RETRYABLE)
