"""List the files whose blobs must exist, page by page."""

from dataclasses import dataclass

from sqlalchemy import select

from hortus.core.db import Tx
from hortus.files.tables import File


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is not deleted, with the key and size of its blob."""

    id: str
    key: str
    bytes: int


async def stored_files(tx: Tx, *, after: str, limit: int) -> list[StoredFile]:
    """Up to `limit` files that are not deleted, with ids above `after`, ordered by id."""
    query = (
        select(File.id, File.storage_key, File.bytes)
        .where(File.id > after, File.deleted_at.is_(None))
        .order_by(File.id)
        .limit(limit)
    )
    return [StoredFile(row.id, row.storage_key, row.bytes) for row in await tx.execute(query)]
