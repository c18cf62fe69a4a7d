"""Checks before a process starts: the data folder, the database and the address to listen on.

Each failure is one sentence for the operator. Exit codes: 2 for what a setting must correct, 1 for what is not
available now.
"""

import asyncio
import errno
import os
import socket
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from hortus.core.db.engines import sqlstate
from hortus.core.errors import ServiceUnavailable
from hortus.core.settings import Settings
from hortus.ops.databases import Role, open_database

WITHIN = 15.0
"""Seconds for the first connection to the database."""
BY_THE_SERVER = ("08", "28", "3D", "42501", "53", "57P", "25006")
"""Prefixes of PostgreSQL's error codes that describe the state of the server."""


class NotStarted(Exception):
    """The process cannot start; the message names the cause and the remedy."""

    def __init__(self, sentence: str, code: int = 1) -> None:
        super().__init__(sentence)
        self.code = code


def check(settings: Settings, role: Role = "server") -> None:
    """The data folder can be written and the database answers. Raises NotStarted."""
    check_data_folder(settings.data_dir)
    _ = settings.key
    check_database(settings, role)


def check_data_folder(folder: Path) -> None:
    """The folder is there, or was made, and a file can be written in it. Raises NotStarted."""
    path = folder.resolve()
    probe = path / f".write-probe-{os.getpid()}"
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            with probe.open("wb") as file:
                file.write(b"\0" * 65_536)
                file.flush()
                os.fsync(file.fileno())
        finally:
            with suppress(OSError):
                probe.unlink()
    except OSError as error:
        hint = "free some space" if error.errno == errno.ENOSPC else "set HORTUS_DATA or --data to a folder that can be"
        raise NotStarted(f"The data folder {path} cannot be written ({_strerror(error)}); {hint}.", 2) from None


def check_database(settings: Settings, role: Role = "server") -> None:
    """The database answers and can be written. Raises NotStarted."""
    asyncio.run(_ask(settings, role))


async def _ask(settings: Settings, role: Role) -> None:
    database = open_database(settings, role)
    name = database.url.render_as_string(hide_password=True)
    try:
        async with asyncio.timeout(WITHIN), database.engine.connect() as connection:
            if database.dialect == "sqlite":
                await connection.execute(text("SELECT count(*) FROM sqlite_master"))
            elif (await connection.execute(text("SHOW transaction_read_only"))).scalar() == "on":
                raise NotStarted(f"The database {name} is read-only; DATABASE_URL must lead to the primary server.")
    except NotStarted:
        raise
    except Exception as error:  # any driver's any error
        why = reason_of(error) or type(error).__name__
        raise NotStarted(f"The database {name} cannot be used: {why}. Start it, or correct DATABASE_URL.") from None
    finally:
        await database.close()


def bind(host: str, port: int) -> list[socket.socket]:
    """Sockets bound to every address of `host`, not listening yet, so that no client connects before the start.

    Raises NotStarted. With port 0 all have the same free port.
    """
    made: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(found):
            # Named as TCP, or asyncio leaves small answers waiting for 40 ms for more.
            bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            made.append(bound)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            taken = made[0].getsockname()[1] if port == 0 and len(made) > 1 else port
            bound.bind((address[0], taken, *address[2:]))
    except OSError as error:
        for each in made:
            each.close()
        raise cannot_listen(host, port, error) from None
    return made


def cannot_listen(host: str, port: int, error: OSError) -> NotStarted:
    """The reason why the address cannot be bound, and the remedy."""
    if error.errno == errno.EADDRINUSE:
        return NotStarted(f"Port {port} on {host} is in use; stop its listener, or set PORT or --port to another one.")
    if error.errno in (errno.EACCES, errno.EPERM):
        return NotStarted(f"Port {port} on {host} may not be used by this user; set PORT or --port to another one.", 2)
    return NotStarted(f"HOST {host} is not an address of this machine ({_strerror(error)}).", 2)


def reason_of(error: BaseException | None) -> str | None:
    """A phrase for a failure of files, network or database; None for any other error."""
    while error is not None:
        asyncpg = sys.modules.get("asyncpg")
        if asyncpg is not None and isinstance(error, asyncpg.PostgresError):
            return str(error).splitlines()[0] if (error.sqlstate or "").startswith(BY_THE_SERVER) else None
        if isinstance(error, sqlite3.Error):
            return str(error) if not isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError) else None
        if isinstance(error, TimeoutError) and not error.errno:
            return "no answer in time"
        if isinstance(error, OSError):
            place = f": {error.filename}" if error.filename else ""
            return f"{_strerror(error)}{place}"
        if not isinstance(error, SQLAlchemyError | ServiceUnavailable):
            return None
        if isinstance(error, DBAPIError) and not sqlstate(error) and error.__cause__ is None:
            error = error.orig
        else:
            error = error.__cause__
    return None


def _strerror(error: OSError) -> str:
    return error.strerror or type(error).__name__
