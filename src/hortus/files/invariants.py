"""The check that every file row has its blob: the newest files, and the others part by part."""

from typing import Any, Final

from sqlalchemy import select

from hortus.core.db import Database
from hortus.core.invariant_checks import CheckResult
from hortus.files.tables import File
from hortus.storage import BlobNotFound, Storage

LATEST: Final = 20
PART: Final = 30


async def check_some_blobs(database: Database, storage: Storage, after: str = "") -> CheckResult:
    """Files without their blob, or with one of another size, among the newest and those that follow `after`.

    The blobs are not read. Blobs without a row are no fault: `sweep_orphaned_blobs` takes them away.
    """
    query = select(File.id, File.storage_key, File.bytes).where(File.deleted_at.is_(None))
    async with database.snapshot() as tx:
        newest = (await tx.execute(query.order_by(File.id.desc()).limit(LATEST))).all()
        part = (await tx.execute(query.where(File.id > after).order_by(File.id).limit(PART))).all()
    chosen = {row.id: row for row in (*newest, *part)}
    result = CheckResult(checked=len(chosen), cursor=part[-1].id if len(part) == PART else "")
    wrong = {row.id: line for row in chosen.values() if (line := await _wrong(storage, row)) is not None}
    if wrong:
        async with database.snapshot() as tx:  # a file deleted in the meantime may have no blob
            still = await tx.execute(select(File.id).where(File.id.in_(wrong), File.deleted_at.is_(None)))
            result.violations = [wrong[each] for each in sorted(still.scalars())]
    return result


async def _wrong(storage: Storage, row: Any) -> str | None:
    try:
        size = await storage.size(row.storage_key)
    except BlobNotFound:
        return f"file {row.id} has no blob"
    return None if size == row.bytes else f"file {row.id} is of {row.bytes} bytes, its blob of {size}"
