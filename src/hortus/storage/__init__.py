"""Storage of blobs, one module per kind of store."""

from hortus.storage.base import Blob, BlobNotFound, Storage
from hortus.storage.local import LocalStorage

__all__ = ["Blob", "BlobNotFound", "LocalStorage", "Storage"]
