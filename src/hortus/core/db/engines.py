"""The engines beneath `core.db`: how a connection is made, how long it may take, what its errors mean."""

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

CLASHED = frozenset({"40001", "40P01"})
"""PostgreSQL undid the whole transaction because of others, a deadlock say: the same again may well succeed."""
TOOK_TOO_LONG = frozenset({"55P03", "57014", "25P03", "25P04"})
"""A lock not had in time, a statement not done in time, a transaction left idle or open for too long."""
Outage = Literal["unreachable", "read_only", "full", "failing", "busy"]
"""What is wrong with a database that answers as it should not: it cannot be reached or lets nobody in; it accepts no
writes; its disk is full; its disk, memory or files fail; others keep it, or a statement took too long."""
_OUTAGE_BY_STATE: dict[str, Outage] = {
    "08": "unreachable",  # connection exceptions
    "25006": "read_only",  # after a failover this connection leads to a server that is a replica now
    "28": "unreachable",  # the password is not good any more
    "3D000": "unreachable",  # no such database
    "53": "unreachable",  # out of connections or memory
    "53100": "full",
    "53200": "failing",
    "57P": "unreachable",  # shutting down, crashed, starting
    "58": "failing",  # input and output
    "XX001": "failing",  # a damaged page
    "XX002": "failing",  # a damaged index
    **dict.fromkeys(CLASHED | TOOK_TOO_LONG, "busy"),
}
"""By SQLSTATE or its beginning; the longest that fits counts."""
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
"""After so long without a sign of life from the other end a connection to PostgreSQL is given up (Linux)."""
CONNECT_SECONDS = 5.0
PATIENCE_SECONDS = 5.0
"""How much longer than PostgreSQL's own time for a statement its answer is waited for."""


@dataclass(frozen=True, slots=True)
class ConnectionProfile:
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


def postgresql_engine(url: URL, profile: ConnectionProfile, *, pool_size: int, echo: bool = False) -> AsyncEngine:
    """A pool of connections that keep `connection_profile`."""
    server_settings = {"application_name": profile.name, "jit": "off"}
    arguments: dict[str, Any] = {"server_settings": server_settings, "timeout": CONNECT_SECONDS}
    if profile.statement:  # the server's own limit reaches nobody over a line that is dead
        arguments["command_timeout"] = profile.statement + PATIENCE_SECONDS
    if profile.pgbouncer:
        del server_settings["jit"]  # it refuses start-up parameters that it does not know
        # Another connection of the server may come with the next transaction: no statement is kept for it, and
        # those of this one bear names that no other has.
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
    _leave_what_is_closed(engine)
    _notice_dead_lines(engine)
    _drop_after_outages(engine.sync_engine)
    _hide_values(engine.sync_engine)
    if profile.pgbouncer:
        _say_at_each_begin(engine, profile.settings())
    return engine


def _leave_what_is_closed(engine: AsyncEngine) -> None:
    """The driver knows of a connection that the server closed; to ask the server as well costs a journey each time."""

    @event.listens_for(engine.sync_engine, "checkout")
    def look(connection: Any, _record: Any, _proxy: Any) -> None:
        if connection.driver_connection.is_closed():
            raise DisconnectionError("closed by the server")


def _notice_dead_lines(engine: AsyncEngine) -> None:
    """A line that is cut without a word is noticed by the system within seconds, not a quarter of an hour."""
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


def _drop_after_outages(engine: Engine) -> None:
    """Close the connection that met an outage, and with it all that its pool holds: new ones find what is well."""

    @event.listens_for(engine, "handle_error")
    def drop(failure: Any) -> None:
        if outage(failure.original_exception) not in (None, "busy"):
            failure.is_disconnect = True


def _hide_values(engine: Engine) -> None:
    """Take values out of PostgreSQL's errors before they are logged; `hide_parameters` hides only SQLAlchemy's text."""

    @event.listens_for(engine, "handle_error")
    def hide(context: Any) -> None:
        hide_values(context.original_exception)
        if context.sqlalchemy_exception is not None:
            text = f"({type(context.original_exception).__name__}) {context.original_exception}"
            context.sqlalchemy_exception.args = (text,)


_MESSAGES_WITH_VALUES = ("22", "42601")
"""States (or their classes) whose message repeats a value: a wrong form, and the syntax of a text search."""


def hide_values(error: BaseException) -> None:
    """Reduce an error of asyncpg, or SQLAlchemy's wrapper of one, to words that hold none of the row's values.

    PostgreSQL repeats values in DETAIL (`Key (email)=(…) already exists`), and in the message itself where a value has
    the wrong form; asyncpg does in its own errors, and in the errors that caused those.
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
        cause.args = (f"a value has the wrong form ({type(cause).__name__}, {state})",)
        cause.__cause__ = cause.__context__ = None
    if wrapper is not None:
        wrapper.args = (f"{type(cause)}: {cause}",)
        wrapper.detail = None  # type: ignore[attr-defined] # SQLAlchemy copies it from the driver's error


def _say_at_each_begin(engine: AsyncEngine, settings: dict[str, str]) -> None:
    """Where a connection is not ours for longer than a transaction, each transaction is told its times."""
    said = "SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Any) -> None:
        connection.exec_driver_sql(said)


def sqlite_engine(url: URL, *, begin: str, pool_size: int, echo: bool = False) -> AsyncEngine:
    """A pool of connections, each in a thread of its own, whose transactions start with `begin`."""
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
    _drop_after_outages(engine.sync_engine)
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
        hide_parameters=True,
        connect_args=arguments,
    )
    _prepare_sqlite(engine, "BEGIN", _CACHE_OF_A_READER)
    _drop_after_outages(engine)
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


def outage(error: BaseException) -> Outage | None:
    """What this error says of the state of the database; None for a mistake of the caller, or of ours.

    The one place that tells them apart, for both databases. Nobody else is called inside a transaction, so an error
    of the network there is about the database.
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
    if isinstance(error, OSError) and error.filename is None:  # what is about a file of ours names it
        # Without a number: no address of several could be reached. Without a file: no socket where it should be.
        is_network = error.errno is None or error.errno == errno.ENOENT or error.errno in _NETWORK
        return "unreachable" if is_network else None
    asyncpg = sys.modules.get("asyncpg")
    if asyncpg is None:
        return None
    # The second is a connection that was told of its end, by a server that shuts down say, and is not closed yet.
    is_over = isinstance(error, asyncpg.InterfaceError) and "closed" in str(error)
    return "unreachable" if is_over or isinstance(error, asyncpg.InternalClientError) else None


def sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's code of an error, `40P01` say; None for errors that are not its."""
    inner = error.orig if isinstance(error, DBAPIError) else error
    return getattr(inner, "sqlstate", None)


def has_clashed(error: BaseException | None) -> bool:
    """Whether this error, or the one behind it, says that the transaction may be repeated from its beginning."""
    return error is not None and (sqlstate(error) in CLASHED or sqlstate(error.__cause__ or error) in CLASHED)
