"""A store of blobs in a local folder, through obstore."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import structlog

from hortus.core.errors import ServiceUnavailable
from hortus.storage.base import Blob, BlobNotFound, check_key

log = structlog.get_logger()
PIECE = 256 * 1024


@cache
def _library() -> Any:
    """obstore, imported on first use."""
    import obstore.exceptions  # noqa: PLC0415 - see above
    import obstore.store  # noqa: PLC0415 - likewise

    return obstore


@contextmanager
def _outages() -> Iterator[None]:
    """Raise ServiceUnavailable (503) for a disk that is full, read-only or broken. A missing blob passes through."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (_library().exceptions.BaseError, OSError) as error:
        log.warning("storage_outage", error=f"{type(error).__name__}: {error}"[:300])
        detail = "Try again in a little while, with the same `Idempotency-Key` if you sent one."
        raise ServiceUnavailable(detail, headers={"Retry-After": "10"}, retry_after=10) from error


class LocalStorage:
    """Stores blobs below `folder`, which only this user may read. A blob appears under its key when it is complete."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        self._folder = folder.resolve()

    @cached_property
    def _store(self) -> Any:
        return _library().store.LocalStore(self._folder)

    async def put(self, key: str, content: bytes | Path, mime_type: str) -> None:
        """Write a blob. The folder stores no MIME type; the row of the file does."""
        with _outages():
            await _library().put_async(self._store, check_key(key), content)

    async def read(self, key: str) -> bytes:
        """The whole blob."""
        try:
            with _outages():
                found = await _library().get_async(self._store, check_key(key))
                return bytes(await found.bytes_async())
        except FileNotFoundError as error:
            raise BlobNotFound(key) from error

    async def open(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """A range of the blob, in pieces."""
        if end is None:
            end = await self.size(key)
        try:
            for position in range(start, end, PIECE):
                piece = await _library().get_range_async(
                    self._store, check_key(key), start=position, end=min(position + PIECE, end)
                )
                yield bytes(piece)
        except FileNotFoundError as error:
            raise BlobNotFound(key) from error

    async def size(self, key: str) -> int:
        """The size of the blob in bytes."""
        try:
            with _outages():
                return int((await _library().head_async(self._store, check_key(key)))["size"])
        except FileNotFoundError as error:
            raise BlobNotFound(key) from error

    async def delete(self, key: str) -> None:
        """Remove a blob."""
        try:
            with _outages():
                await _library().delete_async(self._store, check_key(key))
        except FileNotFoundError:
            return

    async def list(self, folder: str) -> AsyncIterator[Blob]:
        """Every complete blob of a folder."""
        if not (self._folder / folder).is_dir():  # an empty folder needs no library
            return
        async for found in _library().list(self._store, f"{folder}/", chunk_size=500):
            for meta in found:
                yield Blob(meta["path"], meta["size"], meta["last_modified"])
