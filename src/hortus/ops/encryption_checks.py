"""Encryption as `hortus doctor` detects it: the disk of the data folder, the connections to database and Redis."""

import ipaddress
import os
from pathlib import Path

from sqlalchemy import make_url, text
from sqlalchemy.engine import URL

from hortus.core.settings import Settings
from hortus.ops.databases import open_database

SYS_BLOCK = Path("/sys/dev/block")


async def encryption(settings: Settings) -> list[tuple[bool, str]]:
    """A sentence for the disk, the database and Redis, each with whether it is encrypted or local."""
    found = [_disk(settings.data_dir, SYS_BLOCK), await _database(settings)]
    if settings.redis_url:
        found.append(_redis(make_url(settings.redis_url)))
    return found


def _disk(folder: Path, blocks: Path) -> tuple[bool, str]:
    """Linux names the mapping of an encrypted volume CRYPT-…; encryption below it, by a cloud, is not visible."""
    existing = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    device = existing.stat().st_dev
    uuid = blocks / f"{os.major(device)}:{os.minor(device)}" / "dm" / "uuid"
    if uuid.exists() and uuid.read_text().startswith("CRYPT-"):
        return True, "files: the disk of the data folder is encrypted"
    return (
        False,
        "files: no encryption of the disk is visible from here; encrypt the volume (docs/operators/encryption.md)",
    )


async def _database(settings: Settings) -> tuple[bool, str]:
    database = open_database(settings, "console")
    try:
        if database.dialect == "sqlite":
            return True, "database: SQLite, encrypted as its disk is"
        if _is_local(database.url):
            return True, "database: on this machine, encrypted as its disk is"
        async with database.engine.connect() as connection:
            found = await connection.execute(text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))
            encrypted = bool(found.scalar())
    except Exception as error:  # any driver's any error; the line about the database has the details
        return False, f"database: not reached ({type(error).__name__})"
    finally:
        await database.close()
    if encrypted:
        return True, "database: reached by TLS"
    return False, "database: reached without TLS; add ?sslmode=require to DATABASE_URL"


def _redis(url: URL) -> tuple[bool, str]:
    if url.drivername == "rediss":
        return True, "redis: reached by TLS"
    if url.drivername == "unix" or _is_local(url):
        return True, "redis: on this machine"
    return False, "redis: reached without TLS; use rediss:// in REDIS_URL"


def _is_local(url: URL) -> bool:
    host = url.host or url.query.get("host", "")
    if not isinstance(host, str) or host == "" or host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
