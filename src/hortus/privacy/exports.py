"""Data exports: requested by the user, built by a task, downloaded by a signed link, deleted when they expire."""

import asyncio
import hashlib
import tempfile
from datetime import timedelta
from pathlib import Path

from sqlalchemy import and_, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from hortus import accounts, auth, tasks
from hortus.core import clock, ids
from hortus.core.db import Database, Tx
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.privacy.archive import write_archive
from hortus.privacy.errors import NoDataExport
from hortus.privacy.settings import PrivacySettings
from hortus.privacy.tables import DataExport
from hortus.storage import Storage

MIME_TYPE = "application/zip"
ORPHANED_AFTER = timedelta(hours=2)
"""Longer than the time limit of the task that builds an archive."""


def key_of(export_id: str) -> str:
    """The storage key of an archive."""
    return f"exports/{export_id}"


async def request_export(tx: Tx, user_id: str) -> DataExport:
    """Request an archive; a second request returns the one that is being built."""
    now = clock.now()
    export = {
        "id": ids.new(),
        "user_id": user_id,
        "status": "building",
        "created_at": now,
        "expires_at": now + timedelta(days=tx.settings(PrivacySettings).data_export_days),
    }
    try:
        async with tx.begin_nested():
            await tx.execute(insert(DataExport), export)
    except IntegrityError:
        query = select(DataExport).where(DataExport.user_id == user_id, DataExport.status == "building")
        return (await tx.execute(query)).scalar_one()
    await tasks.enqueue(tx, BUILD, {"id": export["id"]}, key=f"export:{export['id']}", user_id=user_id)
    return (await tx.execute(select(DataExport).where(DataExport.id == export["id"]))).scalar_one()


async def newest_of(tx: Tx, user_id: str) -> DataExport:
    """The newest archive of a user; raises NoDataExport."""
    query = select(DataExport).where(DataExport.user_id == user_id).order_by(DataExport.id.desc()).limit(1)
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        raise NoDataExport
    return found


async def find(tx: Tx, user_id: str, export_id: str) -> DataExport:
    """An archive of the user; raises NoDataExport."""
    query = select(DataExport).where(DataExport.id == export_id, DataExport.user_id == user_id)
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        raise NoDataExport
    return found


async def find_ready(tx: Tx, export_id: str, session_id: str) -> DataExport:
    """An archive that can be downloaded with a link of that session; raises NoDataExport."""
    query = select(DataExport).where(
        DataExport.id == export_id, DataExport.status == "ready", DataExport.expires_at > clock.now()
    )
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None or not await accounts.session_is_live(tx, found.user_id, session_id):
        raise NoDataExport
    return found


async def _build(resources: Resources, task: tasks.ClaimedTask) -> None:
    """Build the archive; after a crash it is built again and overwritten."""
    database, storage, export_id = resources[Database], resources[Storage], task.payload["id"]
    async with database.snapshot() as tx:
        row = (await tx.execute(select(DataExport).where(DataExport.id == export_id))).scalar_one_or_none()
    if row is None or row.status != "building":
        return
    with tempfile.TemporaryDirectory(prefix="hortus-") as folder:
        path = Path(folder) / "archive.zip"
        await write_archive(database, storage, row.user_id, path)
        size, digest = path.stat().st_size, await asyncio.to_thread(_digest_of, path)
        await storage.put(key_of(export_id), path, MIME_TYPE)
    async with database.transaction() as tx:
        ready = update(DataExport).where(DataExport.id == export_id, DataExport.status == "building")
        values = {"status": "ready", "bytes": size, "sha256": digest, "ready_at": clock.now()}
        done = (await tx.execute(ready.values(**values).returning(DataExport.id))).first() is not None
        if done:
            page = resources[Settings].frontend_base_url.rstrip("/")
            link = f"{page}/account/privacy" if page else None
            until = f"{row.expires_at:%d %B %Y}"
            await auth.notify_user(tx, row.user_id, "data_export_ready", expires_on=until, link=link)
    if not done:  # the account was erased meanwhile
        await storage.delete(key_of(export_id))


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _mark_failed(tx: Tx, _resources: Resources, task: tasks.ClaimedTask) -> None:
    failed = update(DataExport).where(DataExport.id == task.payload["id"], DataExport.status == "building")
    await tx.execute(failed.values(status="failed"))


BUILD = tasks.register(
    "privacy.export", _build, queue="maintenance", time_limit=3600, attempts=5, backoff=10, on_dead_letter=_mark_failed
)


async def sweep_orphans(database: Database, storage: Storage, older_than: timedelta = ORPHANED_AFTER) -> int:
    """Delete archives in storage that are older than `older_than` and have no row; how many."""
    before, removed = clock.now() - older_than, 0
    async for blob in storage.list("exports"):
        if blob.modified_at >= before:
            continue
        async with database.snapshot() as tx:
            query = select(DataExport.id).where(DataExport.id == blob.key.rpartition("/")[2])
            known = (await tx.execute(query)).first() is not None
        if not known:
            await storage.delete(blob.key)
            removed += 1
    return removed


async def sweep_exports(database: Database, storage: Storage, limit: int = 100) -> int:
    """Delete expired archives; how many. The blob is deleted first, so that a crash in between only repeats work."""
    over = and_(or_(DataExport.status == "ready", DataExport.status == "failed"), DataExport.expires_at < clock.now())
    async with database.snapshot() as tx:
        old = list((await tx.execute(select(DataExport.id).where(over).limit(limit))).scalars())
    for export_id in old:
        await storage.delete(key_of(export_id))
    if old:
        async with database.transaction() as tx:
            await tx.execute(update(DataExport).where(DataExport.id.in_(old)).values(status="expired"))
    return len(old)
