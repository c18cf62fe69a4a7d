"""Where blobs lie. One file per kind of store."""

from hortus.storage.base import BlobNotFound, Storage
from hortus.storage.local import LocalStorage

__all__ = ["BlobNotFound", "LocalStorage", "Storage"]
