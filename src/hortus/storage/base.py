"""The interface of blob stores: bytes by key."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

_KEY = re.compile(r"[a-z]{1,20}/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class BlobNotFound(Exception):
    """The store has no blob of that key."""


@dataclass(frozen=True, slots=True)
class Blob:
    """The metadata of a blob."""

    key: str
    bytes: int
    modified_at: datetime


def check_key(key: str) -> str:
    """The key, if it is `<folder>/<id>`; ValueError otherwise, so that a key is never a path outside the store."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is not a storage key: it must be <folder>/<id>")
    return key


@runtime_checkable
class Storage(Protocol):
    """A store of blobs. Keys are `<folder>/<id>` and contain no input of customers. A write is atomic."""

    async def put(self, key: str, content: bytes | Path, mime_type: str) -> None:
        """Write a blob, replacing one of that key. A file is streamed, never read whole."""

    async def read(self, key: str) -> bytes:
        """The whole blob; raises BlobNotFound."""

    def open(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` up to, not including, `end`, in pieces.

        A missing blob raises BlobNotFound instead of the first piece.
        """

    async def size(self, key: str) -> int:
        """How many bytes the blob has; raises BlobNotFound."""

    async def delete(self, key: str) -> None:
        """Remove a blob; a missing one is no error."""

    def list(self, folder: str) -> AsyncIterator[Blob]:
        """Every complete blob of a folder, in no order."""
