"""Tuning of glibc malloc; no-ops with other C libraries."""

import ctypes
from functools import cache

_M_ARENA_MAX = -8


@cache
def _library() -> ctypes.CDLL | None:
    try:
        found = ctypes.CDLL(None)
        return found if hasattr(found, "malloc_trim") else None
    except (OSError, TypeError):  # not available on this system
        return None


def use_one_arena() -> None:
    """Use one arena for all threads; call it before they start. Memory of further arenas is rarely returned."""
    library = _library()
    if library is not None:
        library.mallopt(_M_ARENA_MAX, 1)


def trim() -> None:
    """Return free memory to the system. It takes some milliseconds, so do not call it on the event loop."""
    library = _library()
    if library is not None:
        library.malloc_trim(0)
