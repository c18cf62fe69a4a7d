"""Migrations, run by Alembic on either database. Alembic is imported only to migrate."""

import asyncio
import os
import re
import sys
import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import hortus
from hortus.core.errors import ServiceUnavailable
from hortus.core.settings import Settings
from hortus.ops.databases import connection_profile, open_database
from hortus.ops.preflight import NotStarted, reason_of

if TYPE_CHECKING:
    from alembic.config import Config


log = structlog.get_logger()
_REVISION = re.compile(r"r[0-9]{4}")


class NotMigrated(Exception):
    """The migration failed; the process that ran it has printed the reason."""


def folder() -> Path:
    """The folder of the migrations."""
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
    """Bring the database to the newest revision; the schema of a newer version is left unchanged.

    Raises NotStarted for a revision that is in no chain of this version.
    """
    from alembic import command  # noqa: PLC0415 - see `config`

    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = asyncio.run(_revision(settings))
    refuse_unknown(found)
    if found is not None and found > head():
        # The version before works on a newer schema: that is how one goes back.
        log.warning("schema_is_newer", revision=found, own=head())
        return
    made = config(settings.database)
    made.attributes["connection_profile"] = connection_profile(settings, "migration")
    command.upgrade(made, "head")


def require_migrated(settings: Settings) -> None:
    """Raise NotStarted unless the database has the schema of this version, or of a newer one."""
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        found = asyncio.run(_read_revision(settings))
    except DBAPIError:  # no such table
        found = None
    except ServiceUnavailable:
        return
    if found is None:
        sentence = "The database has no tables yet. Run `hortus migrate` first; `hortus up` does so by itself."
        raise NotStarted(sentence, 2)
    require_current(found, revisions())


def refuse_unknown(found: str | None) -> None:
    """Raise NotStarted if `found` is neither a revision of this version nor a later one."""
    if found is not None and found not in revisions() and not (_REVISION.fullmatch(found) and found > head()):
        raise NotStarted(
            f"The database is at revision {found}, which this version cannot upgrade: "
            "set DATABASE_URL or HORTUS_DATA to a new database, or run the version that made this one.",
            2,
        )


def require_current(found: str, known: Sequence[str]) -> None:
    """Raise NotStarted if `found` is older than the last of the `known` revisions, or unknown."""
    refuse_unknown(found)
    if found < known[-1]:
        sentence = f"The database is at revision {found}, older than {known[-1]}: run `hortus migrate` first."
        raise NotStarted(sentence, 2)


async def _revision(settings: Settings) -> str | None:
    """The revision of the database; None if it has no tables or does not answer."""
    try:
        return await _read_revision(settings)
    except (DBAPIError, ServiceUnavailable):
        return None


async def _read_revision(settings: Settings) -> str | None:
    database = open_database(settings, "migration")
    try:
        async with database.snapshot() as tx:
            return (await tx.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
    finally:
        await database.close()


def begin_upgrade(settings: Settings) -> Callable[[], None]:
    """Begin an `upgrade` in a child process, so that the server starts meanwhile and does not keep Alembic in memory.

    Returns a function that waits for its end and raises NotMigrated. If processes cannot fork, or have threads
    already, the upgrade runs here; if the database is up to date, nothing runs. Raises NotStarted for an unknown
    revision.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = asyncio.run(_revision(settings))
    refuse_unknown(found)
    if found == head():
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
    """The upgrade is done."""


@cache
def revisions() -> tuple[str, ...]:
    """The revisions of this version, oldest first, by the names of the files: `0001_initial.py` is `r0001`."""
    return tuple(sorted(f"r{path.name[:4]}" for path in folder().joinpath("versions").glob("[0-9]*.py")))


def head() -> str:
    """The newest revision of this version."""
    return revisions()[-1]
