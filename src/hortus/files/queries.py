"""Every blob that the storage must hold, page by page."""

from dataclasses import dataclass

from sqlalchemy import select

from hortus.core.db import Tx
from hortus.files.tables import File


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that somebody may still see."""

    id: str
    key: str
    bytes: int


async def stored(tx: Tx, *, after: str, limit: int) -> list[Stored]:
    """Up to `limit` files that are not deleted, with ids above `after`, by their ids."""
    query = (
        select(File.id, File.storage_key, File.bytes)
        .where(File.id > after, File.deleted_at.is_(None))
        .order_by(File.id)
        .limit(limit)
    )
    return [Stored(row.id, row.storage_key, row.bytes) for row in await tx.execute(query)]
