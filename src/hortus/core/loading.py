"""How a process that stays loads what it is made of."""

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

LARGE = 1024 * 1024
"""Bytes of a block that goes back to the system as soon as it is free."""
_M_MMAP_THRESHOLD = -3
"""Its number in `malloc.h` of glibc."""


@contextmanager
def loading() -> Iterator[None]:
    """Import and build without looking for garbage, of which there is none: a sixth of the time goes into that.

    What is there afterwards stays until the end, and is never looked through again: the pauses for garbage depend
    on what requests leave behind, not on the size of the program.
    """
    _give_back_large_blocks()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _give_back_large_blocks() -> None:
    """Hashing a password takes 20 MB for a moment; glibc would learn from the first to keep that for the next."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library, which has no such thing
            ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE)
