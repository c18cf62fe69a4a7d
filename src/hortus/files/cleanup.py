"""Remove the blobs of deleted files, and blobs without a row."""

from datetime import timedelta

import structlog
from sqlalchemy import select, update

from hortus.core import clock
from hortus.core.db import Database
from hortus.core.settings import Settings
from hortus.files.tables import File
from hortus.storage import Storage

log = structlog.get_logger()
FOLDERS = ("uploads", "outputs")
BATCH = 200
ORPHANED_AFTER = timedelta(hours=24)
"""Longer than any generation takes between writing an output and inserting its row."""


async def sweep_deleted_files(database: Database, storage: Storage, settings: Settings, limit: int = BATCH) -> int:
    """Remove the blobs of up to `limit` files whose retention time has passed, and return their number.

    The blob goes first and the row is marked after it, so that a crash in between only repeats work.
    """
    before = clock.now() - timedelta(days=settings.file_retention_days)
    query = (
        select(File.id, File.storage_key)
        .where(File.deleted_at < before, File.swept_at.is_(None))
        .order_by(File.deleted_at)
        .limit(limit)
    )
    async with database.snapshot() as tx:
        old = (await tx.execute(query)).all()
    for _, key in old:
        await storage.delete(key)
    if old:
        async with database.transaction() as tx:
            await tx.execute(update(File).where(File.id.in_([row.id for row in old])).values(swept_at=clock.now()))
    return len(old)


async def sweep_orphaned_blobs(database: Database, storage: Storage, older_than: timedelta = ORPHANED_AFTER) -> int:
    """Remove blobs written longer than `older_than` ago that have no row, and return their number."""
    before, removed = clock.now() - older_than, 0
    for folder in FOLDERS:
        batch: list[str] = []
        async for blob in storage.list(folder):
            if blob.modified_at < before:
                batch.append(blob.key)
            if len(batch) >= BATCH:
                removed += await _remove_unknown(database, storage, batch)
                batch = []
        removed += await _remove_unknown(database, storage, batch)
    if removed:
        log.info("orphaned_blobs_removed", count=removed)
    return removed


async def _remove_unknown(database: Database, storage: Storage, keys: list[str]) -> int:
    if not keys:
        return 0
    ids = [key.rpartition("/")[2] for key in keys]
    async with database.snapshot() as tx:
        known = set((await tx.execute(select(File.storage_key).where(File.id.in_(ids)))).scalars())
    unknown = [key for key in keys if key not in known]
    for key in unknown:
        await storage.delete(key)
    return len(unknown)
