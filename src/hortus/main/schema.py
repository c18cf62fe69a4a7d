"""Migrations, run by Alembic on either database. Alembic is loaded only where something is migrated."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import hortus
from hortus.core.errors import Unavailable
from hortus.core.settings import Settings
from hortus.main.databases import manners, open_database
from hortus.main.preflight import reason_of

if TYPE_CHECKING:
    from alembic.config import Config


log = structlog.get_logger()


class NotMigrated(Exception):
    """The migration failed; what went wrong was printed where it ran."""


def folder() -> Path:
    """Where the migrations lie."""
    inside = Path(hortus.__file__).parent / "migrations"  # in an installed package
    beside = Path(hortus.__file__).parents[2] / "migrations"  # in a checkout
    return inside if inside.exists() else beside


def config(url: str) -> "Config":
    """Alembic's configuration for a database."""
    from alembic.config import Config  # noqa: PLC0415 - with what it brings, a tenth of a server's memory

    made = Config()
    made.set_main_option("script_location", str(folder()))
    made.set_main_option("path_separator", "os")
    made.attributes["url"] = url
    return made


def upgrade(settings: Settings) -> None:
    """Bring the database to the newest revision; one that a newer version made stays as it is."""
    from alembic import command  # noqa: PLC0415 - see `config`
    from alembic.util import CommandError  # noqa: PLC0415 - likewise

    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = config(settings.database)
    made.attributes["manners"] = manners(settings, "migration")
    try:
        command.upgrade(made, "head")
    except CommandError:
        found = asyncio.run(_revision(settings))
        if found is None or not found.isdecimal() or found <= head():
            raise
        # The version before works on a newer schema: that is how one goes back.
        log.warning("schema_is_newer", revision=found, own=head())


def is_empty(settings: Settings) -> bool:
    """Whether the database answers and nothing was ever migrated there."""
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        return asyncio.run(_read_revision(settings)) is None
    except DBAPIError:  # no such table
        return True
    except Unavailable:
        return False


async def _revision(settings: Settings) -> str | None:
    """The revision of the database; None where there is none, or it cannot be asked."""
    try:
        return await _read_revision(settings)
    except (DBAPIError, Unavailable):
        return None


async def _read_revision(settings: Settings) -> str | None:
    database = open_database(settings, "migration")
    try:
        async with database.snapshot() as tx:
            return (await tx.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
    finally:
        await database.close()


def begin_upgrade(settings: Settings) -> Callable[[], None]:
    """Begin an `upgrade` in a process that ends with it, so that a server neither waits idly nor keeps what it needs.

    Returns what waits for its end and raises NotMigrated. Where processes cannot fork, or have threads already, all
    of it happens here; where the database is up to date, nothing does.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    if asyncio.run(_revision(settings)) == head():
        return _nothing
    if not hasattr(os, "fork") or threading.active_count() > 1:
        upgrade(settings)
        return _nothing
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            upgrade(settings)
            code = 0
        except BaseException as error:
            reason = reason_of(error)
            if reason is None:
                sys.excepthook(*sys.exc_info())
            else:
                sys.stderr.write(f"The migration failed: {reason}.\n")
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def wait() -> None:
        _, status = os.waitpid(child, 0)
        if status != 0:
            raise NotMigrated

    return wait


def _nothing() -> None:
    """There is nothing to wait for."""


@cache
def head() -> str:
    """The newest revision, by the names of the files: migrations are numbered in one chain."""
    return max(path.name[:4] for path in folder().joinpath("versions").glob("[0-9]*.py"))
