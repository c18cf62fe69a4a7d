"""Back up the SQLite database, the files and the secret key: `hortus backup`."""

import shutil
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sqlalchemy import make_url

from hortus.core.settings import Settings

DATABASE = "hortus.db"
SECRET = "secret.key"  # noqa: S105 - the name of its file
FILES = "files"


class BackupFailed(Exception):
    """No backup was written; the message is the reason."""


def back_up(settings: Settings, folder: Path, now: datetime) -> tuple[Path, list[str]]:
    """Copy into a new folder below `folder`, named after `now`; that folder and a line for each part.

    The database goes first and the files after it: a row that was copied finds its blob, since blobs are written
    before their rows and outlive them. The server may run meanwhile. Raises BackupFailed.
    """
    target = folder / now.strftime("hortus-%Y%m%dT%H%M%SZ")
    half = target.with_name(target.name + ".part")
    try:
        half.mkdir(parents=True, mode=0o700)
        lines = [_database(settings, half)]
        copied = _files(settings.data_dir / FILES, half / FILES)
        lines.append(f"{copied} files")
        lines.append(_secret(settings, half))
        half.rename(target)
    except (OSError, sqlite3.Error) as error:
        shutil.rmtree(half, ignore_errors=True)
        raise BackupFailed(f"{type(error).__name__}: {error}") from error
    return target, lines


def _database(settings: Settings, target: Path) -> str:
    url = make_url(settings.database)
    if not url.drivername.startswith("sqlite"):
        return "no database: PostgreSQL is backed up by its own means, see docs/operators/deploying.md"
    path = Path(url.database or "").resolve()
    with (
        closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(target / DATABASE)) as copy,
    ):
        source.backup(copy, pages=2000, sleep=0.01)  # piece by piece, so that writers get their turn
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, whole without its log
        (found,) = copy.execute("PRAGMA integrity_check").fetchone()
    if found != "ok":
        raise BackupFailed(f"the copy of the database is damaged: {found}")
    return f"{DATABASE}, {(target / DATABASE).stat().st_size} bytes, checked"


def _files(source: Path, target: Path) -> int:
    copied = 0
    for path in sorted(source.rglob("*")) if source.exists() else ():
        if path.is_file() and "#" not in path.name:  # a file that is still being written has a # in its name
            to = target / path.relative_to(source)
            to.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copy2(path, to)
            except FileNotFoundError:  # swept meanwhile: its row is deleted
                continue
            copied += 1
    return copied


def _secret(settings: Settings, target: Path) -> str:
    if settings.secret_key.get_secret_value():
        return "no secret key: keep SECRET_KEY of your settings in a safe place"
    path = settings.data_dir / SECRET
    if not path.exists():
        return "no secret key yet"
    shutil.copy2(path, target / SECRET)
    return f"{SECRET}: keep it safe; with it one can sign in as any user"
