"""Uploads and outputs: verified, stored, served by signed links."""

from hortus.files.errors import FileNotFound, NotMedia
from hortus.files.links import link
from hortus.files.serve import serve
from hortus.files.service import NewFile, delete, find, insert_file, prepare_output
from hortus.files.tables import File

__all__ = [
    "File",
    "FileNotFound",
    "NewFile",
    "NotMedia",
    "delete",
    "find",
    "insert_file",
    "link",
    "prepare_output",
    "serve",
]
