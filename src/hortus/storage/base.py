"""The seam for blobs: bytes by key, wherever they lie."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol, runtime_checkable


class BlobNotFound(Exception):
    """There is no blob of that key."""


@runtime_checkable
class Storage(Protocol):
    """Keys are ours alone (`<folder>/<id>`), never a customer's words. A write is visible whole or not at all."""

    async def put(self, key: str, content: bytes | Path) -> None:
        """Write a blob; a file is streamed, never read whole."""

    async def read(self, key: str) -> bytes:
        """The whole blob; raises BlobNotFound."""

    def open(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` up to, not including, `end`, piece by piece; raises BlobNotFound."""

    async def delete(self, key: str) -> None:
        """Remove a blob; a missing one is no error."""
