"""Store, find and delete files. Blobs are written outside transactions, rows inside."""

import asyncio
import hashlib
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import insert, select, update

from hortus.accounts import of_active_user
from hortus.core import clock, ids
from hortus.core.db import Tx, search
from hortus.core.db.paging import Page, PageRequest, newest
from hortus.core.settings import Settings
from hortus.files.errors import EmptyFile, FileNotFound, FileTooLarge
from hortus.files.image import Image, clean_image
from hortus.files.names import safe_filename
from hortus.files.tables import File
from hortus.storage import Storage


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file whose blob is stored and whose row is not inserted yet."""

    id: str
    user_id: str
    purpose: Literal["upload", "output"]
    generation_id: str | None
    filename: str
    mime_type: str
    bytes: int
    width: int | None
    height: int | None
    duration_ms: int | None
    sha256: str
    storage_key: str


async def clean_upload(data: bytes, settings: Settings, *, enhance: bool) -> Image:
    """Decode the uploaded image and encode it again. Raises the problems of `files.errors`."""
    if not data:
        raise EmptyFile
    if len(data) > settings.max_upload_bytes:
        raise FileTooLarge(max_bytes=settings.max_upload_bytes)
    return await clean_image(data, settings.max_image_pixels, enhance=enhance, max_side=settings.enhance_max_side)


async def store_upload(storage: Storage, user_id: str, image: Image, filename: str) -> NewFile:
    """Write the blob of a cleaned upload, outside any transaction. The caller inserts its row with `insert_file`."""
    file_id = ids.new()
    new = NewFile(
        id=file_id,
        user_id=user_id,
        purpose="upload",
        generation_id=None,
        filename=safe_filename(filename, image.mime_type),
        mime_type=image.mime_type,
        bytes=len(image.data),
        width=image.width,
        height=image.height,
        duration_ms=None,
        sha256=await asyncio.to_thread(digest_of, image.data),
        storage_key=f"uploads/{file_id}",
    )
    await storage.put(new.storage_key, image.data, new.mime_type)
    return new


def digest_of(content: bytes | Path) -> str:
    """SHA-256 in hexadecimal. Blocks; call it from a thread."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def insert_file(tx: Tx, new: NewFile) -> None:
    """Add the row of a stored file."""
    row: dict[str, Any] = {
        **asdict(new),
        "scan": "not_scanned",
        "search": search.document(new.user_id, new.filename),
        "created_at": clock.now(),
        "accessed_count": 0,
    }
    await tx.execute(insert(File), row)


async def find(tx: Tx, user_id: str, file_id: str) -> File:
    """The user's file; raises FileNotFound."""
    query = select(File).where(File.id == file_id, File.user_id == user_id, File.deleted_at.is_(None))
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        raise FileNotFound
    return found


async def find_any(tx: Tx, file_id: str, *, staff: bool = False) -> File:
    """A file of any user, for the bearer of its signed link; raises FileNotFound.

    While its owner's account is suspended or closed only `staff` finds it.
    """
    query = select(File).where(File.id == file_id, File.deleted_at.is_(None))
    if not staff:
        query = query.where(of_active_user(File.__table__.c.user_id))
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        raise FileNotFound
    return found


async def note_access(tx: Tx, file_id: str) -> None:
    """Count one access to a file."""
    await tx.execute(
        update(File)
        .where(File.id == file_id)
        .values(accessed_count=File.accessed_count + 1, last_accessed_at=clock.now())
    )


async def find_all(
    tx: Tx,
    user_id: str,
    paging: PageRequest,
    *,
    purpose: str | None = None,
    mime_type: str | None = None,
    words: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
) -> Page[Any]:
    """The user's files, newest first."""
    query = select(File).where(File.user_id == user_id, File.deleted_at.is_(None))
    if purpose is not None:
        query = query.where(File.purpose == purpose)
    if mime_type is not None:
        query = query.where(File.mime_type.startswith(mime_type, autoescape=True))
    if created_after is not None:
        query = query.where(File.created_at >= created_after)
    if created_before is not None:
        query = query.where(File.created_at < created_before)
    if words:
        return await search.find(tx, query, paging, user_id, words, order=File.id)
    return await newest(tx, query, paging, File.id)


async def delete(tx: Tx, user_id: str, file_ids: list[str]) -> int:
    """Mark files as deleted and return their number. Their blobs are removed after the retention time."""
    hidden = await tx.execute(
        update(File)
        .where(File.id.in_(file_ids), File.user_id == user_id, File.deleted_at.is_(None))
        .values(deleted_at=clock.now())
        .returning(File.id)
    )
    return len(hidden.all())
