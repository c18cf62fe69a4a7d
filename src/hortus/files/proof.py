"""The proof that every file has its blob: the newest files, and a stretch of all others, one after another."""

from typing import Any, Final

from sqlalchemy import select

from hortus.core.db import Database
from hortus.core.proofs import Found
from hortus.files.tables import File
from hortus.storage import BlobNotFound, Storage

LATEST: Final = 20
STRETCH: Final = 30


async def prove_some(database: Database, storage: Storage, after: str = "") -> Found:
    """Files without their blob, or with one of another size, among the newest and those that follow `after`.

    The blobs are not read. Blobs without a row are no fault: `sweep_orphans` takes them away.
    """
    query = select(File.id, File.storage_key, File.bytes).where(File.deleted_at.is_(None))
    async with database.snapshot() as tx:
        newest = (await tx.execute(query.order_by(File.id.desc()).limit(LATEST))).all()
        stretch = (await tx.execute(query.where(File.id > after).order_by(File.id).limit(STRETCH))).all()
    chosen = {row.id: row for row in (*newest, *stretch)}
    found = Found(checked=len(chosen), reached=stretch[-1].id if len(stretch) == STRETCH else "")
    wrong = {row.id: line for row in chosen.values() if (line := await _wrong(storage, row)) is not None}
    if wrong:
        async with database.snapshot() as tx:  # whatever was deleted meanwhile may have lost its blob
            still = await tx.execute(select(File.id).where(File.id.in_(wrong), File.deleted_at.is_(None)))
            found.broken = [wrong[each] for each in sorted(still.scalars())]
    return found


async def _wrong(storage: Storage, row: Any) -> str | None:
    try:
        size = await storage.size(row.storage_key)
    except BlobNotFound:
        return f"file {row.id} has no blob"
    return None if size == row.bytes else f"file {row.id} is of {row.bytes} bytes, its blob of {size}"
