"""Blobs as files in a folder, through obstore, so that another store is a setting away."""

from collections.abc import AsyncIterator
from pathlib import Path

import obstore
from obstore.store import LocalStore

from hortus.storage.base import BlobNotFound

PIECE = 256 * 1024


class LocalStorage:
    """Keeps blobs below `folder`, readable by this user only. Writes are atomic."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._store = LocalStore(folder.resolve())

    async def put(self, key: str, content: bytes | Path) -> None:
        """Write a blob."""
        await obstore.put_async(self._store, key, content)

    async def read(self, key: str) -> bytes:
        """The whole blob."""
        try:
            found = await obstore.get_async(self._store, key)
            return bytes(await found.bytes_async())
        except FileNotFoundError as error:
            raise BlobNotFound(key) from error

    async def open(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """A range of the blob, piece by piece."""
        try:
            if end is None:
                end = (await obstore.head_async(self._store, key))["size"]
            for position in range(start, end, PIECE):
                piece = await obstore.get_range_async(self._store, key, start=position, end=min(position + PIECE, end))
                yield bytes(piece)
        except FileNotFoundError as error:
            raise BlobNotFound(key) from error

    async def delete(self, key: str) -> None:
        """Remove a blob."""
        try:
            await obstore.delete_async(self._store, key)
        except FileNotFoundError:
            return
