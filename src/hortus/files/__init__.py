"""Uploads and outputs: verified, stored, served by signed links."""

from hortus.files.cleanup import sweep_deleted_files, sweep_orphaned_blobs
from hortus.files.errors import FileNotFound, NotMedia
from hortus.files.invariants import check_some_blobs
from hortus.files.links import link
from hortus.files.outputs import Verified, prepare_output, verify_media
from hortus.files.queries import StoredFile, stored_files
from hortus.files.serve import NEVER_KEPT, serve
from hortus.files.service import NewFile, delete, find, insert_file
from hortus.files.tables import File

__all__ = [
    "NEVER_KEPT",
    "File",
    "FileNotFound",
    "NewFile",
    "NotMedia",
    "StoredFile",
    "Verified",
    "check_some_blobs",
    "delete",
    "find",
    "insert_file",
    "link",
    "prepare_output",
    "serve",
    "stored_files",
    "sweep_deleted_files",
    "sweep_orphaned_blobs",
    "verify_media",
]
