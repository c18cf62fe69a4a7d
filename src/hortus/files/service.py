"""Keep, find and remove files. Blobs are written outside transactions, rows inside."""

import asyncio
import hashlib
import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import insert, select, update

from hortus.core import clock, ids
from hortus.core.db import Database, Tx
from hortus.core.errors import Problem
from hortus.core.paging import Page, Paging, newest_first, page_of
from hortus.core.settings import Settings
from hortus.files.errors import EmptyFile, FileNotFound, FileTooLarge, NotMedia
from hortus.files.films import measure_film
from hortus.files.pictures import Picture, clean_picture, measure_picture
from hortus.files.tables import File
from hortus.storage import Storage

MAX_OUTPUT_BYTES = 512 * 1024 * 1024
_decoders = ThreadPoolExecutor(2, thread_name_prefix="decode")
"""Decoding is heavy: two at a time, off the event loop."""

_EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif", "video/mp4": "mp4"}


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file whose blob is stored and whose row is still to be inserted."""

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


def safe_filename(name: str, mime_type: str) -> str:
    """What is left of a customer's file name: no path, no control or direction marks, the right extension."""
    base = re.split(r"[\\/]", unicodedata.normalize("NFC", name))[-1]
    kept = "".join(c for c in base if unicodedata.category(c)[0] != "C" and c not in '"<>|:*?;%')
    stem = kept.rsplit(".", 1)[0].strip(" .")[:80] or "file"
    return f"{stem}.{_EXTENSIONS.get(mime_type, 'bin')}"


async def clean_upload(data: bytes, settings: Settings, *, enhance: bool) -> Picture:
    """The uploaded picture, decoded and encoded anew. Raises the problems of `files.errors`."""
    if not data:
        raise EmptyFile
    if len(data) > settings.max_upload_bytes:
        raise FileTooLarge(max_bytes=settings.max_upload_bytes)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(
        _decoders, lambda: clean_picture(data, settings.max_image_pixels, enhance=enhance)
    )


async def store_upload(storage: Storage, user_id: str, picture: Picture, filename: str) -> NewFile:
    """Write the blob of a cleaned upload."""
    file_id = ids.new()
    new = NewFile(
        id=file_id,
        user_id=user_id,
        purpose="upload",
        generation_id=None,
        filename=safe_filename(filename, picture.mime_type),
        mime_type=picture.mime_type,
        bytes=len(picture.data),
        width=picture.width,
        height=picture.height,
        duration_ms=None,
        sha256=hashlib.sha256(picture.data).hexdigest(),
        storage_key=f"uploads/{file_id}",
    )
    await storage.put(new.storage_key, picture.data)
    return new


async def prepare_output(
    storage: Storage,
    settings: Settings,
    *,
    user_id: str,
    content: bytes | Path,
    expected: str,
    generation_id: str,
    filename: str,
) -> NewFile:
    """Verify a provider's picture or video by really decoding it, and write its blob. Raises NotMedia."""
    loop = asyncio.get_running_loop()
    size = await asyncio.to_thread(_size, content)
    if not 0 < size <= MAX_OUTPUT_BYTES:
        raise NotMedia(f"{size} bytes")
    width: int | None
    height: int | None
    duration: int | None = None
    if expected == "image":
        data = content if isinstance(content, bytes) else await asyncio.to_thread(content.read_bytes)
        try:
            mime_type, width, height = await loop.run_in_executor(
                _decoders, measure_picture, data, settings.max_image_pixels
            )
        except Problem as error:
            raise NotMedia(error.code) from error
    else:
        if isinstance(content, bytes):
            raise NotMedia("videos come as files")
        film = await measure_film(content)
        mime_type, width, height, duration = film.mime_type, film.width, film.height, film.duration_ms
    file_id = ids.new()
    new = NewFile(
        id=file_id,
        user_id=user_id,
        purpose="output",
        generation_id=generation_id,
        filename=safe_filename(filename + ".x", mime_type),
        mime_type=mime_type,
        bytes=size,
        width=width,
        height=height,
        duration_ms=duration,
        sha256=await asyncio.to_thread(_digest, content),
        storage_key=f"outputs/{file_id}",
    )
    await storage.put(new.storage_key, content)
    return new


def _size(content: bytes | Path) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _digest(content: bytes | Path) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def insert_file(tx: Tx, new: NewFile) -> None:
    """Add the row of a stored file."""
    row: dict[str, Any] = {**asdict(new), "scan": "not_scanned", "created_at": clock.now(), "accessed_count": 0}
    await tx.execute(insert(File), row)


async def find(tx: Tx, user_id: str, file_id: str) -> File:
    """The user's file; raises FileNotFound."""
    query = select(File).where(File.id == file_id, File.user_id == user_id, File.deleted_at.is_(None))
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        raise FileNotFound
    return found


async def find_any(tx: Tx, file_id: str) -> File:
    """Anybody's file, for whoever has its signed link; raises FileNotFound."""
    query = select(File).where(File.id == file_id, File.deleted_at.is_(None))
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        raise FileNotFound
    return found


async def note_access(tx: Tx, file_id: str) -> None:
    """Count one look at a file."""
    await tx.execute(
        update(File)
        .where(File.id == file_id)
        .values(accessed_count=File.accessed_count + 1, last_accessed_at=clock.now())
    )


async def find_all(
    tx: Tx,
    user_id: str,
    paging: Paging,
    *,
    purpose: str | None = None,
    mime_type: str | None = None,
    name_contains: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
) -> Page[Any]:
    """The user's files, newest first."""
    query = select(File).where(File.user_id == user_id, File.deleted_at.is_(None))
    if purpose is not None:
        query = query.where(File.purpose == purpose)
    if mime_type is not None:
        query = query.where(File.mime_type.startswith(mime_type, autoescape=True))
    if name_contains is not None:
        query = query.where(File.filename.icontains(name_contains, autoescape=True))
    if created_after is not None:
        query = query.where(File.created_at >= created_after)
    if created_before is not None:
        query = query.where(File.created_at < created_before)
    rows = (await tx.execute(newest_first(query, paging, File.id))).scalars().all()
    shown, cursor = page_of(rows, paging, lambda row: (row.id,))
    return Page(items=shown, next_cursor=cursor)


async def delete(tx: Tx, user_id: str, file_ids: list[str]) -> int:
    """Hide files from everybody at once; their blobs are swept after the retention time. How many were hidden."""
    hidden = await tx.execute(
        update(File)
        .where(File.id.in_(file_ids), File.user_id == user_id, File.deleted_at.is_(None))
        .values(deleted_at=clock.now())
        .returning(File.id)
    )
    return len(hidden.all())


async def sweep_deleted(database: Database, storage: Storage, settings: Settings, limit: int = 200) -> int:
    """Remove the blobs of up to `limit` files deleted longer ago than the retention time; how many."""
    before = clock.now() - timedelta(days=settings.file_retention_days)
    query = select(File.id, File.storage_key).where(File.deleted_at < before, File.swept_at.is_(None)).limit(limit)
    async with database.snapshot() as tx:
        old = (await tx.execute(query)).all()
    for _, key in old:
        await storage.delete(key)
    if old:
        async with database.transaction() as tx:
            await tx.execute(update(File).where(File.id.in_([row.id for row in old])).values(swept_at=clock.now()))
    return len(old)
