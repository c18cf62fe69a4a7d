"""Memory that the C library holds for this process, where that is GNU's; elsewhere nothing of this is done."""

import ctypes
from functools import cache

_M_ARENA_MAX = -8


@cache
def _library() -> ctypes.CDLL | None:
    try:
        found = ctypes.CDLL(None)
        return found if hasattr(found, "malloc_trim") else None
    except (OSError, TypeError):  # no such thing on this system
        return None


def share() -> None:
    """One heap for all threads, before there are any. Each would otherwise fill its own, of which none is returned."""
    library = _library()
    if library is not None:
        library.mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Return to the system what is free. Takes some milliseconds: not on the event loop."""
    library = _library()
    if library is not None:
        library.malloc_trim(0)
