"""How a process that stays loads what it is made of."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from hortus.core import malloc


@contextmanager
def loading() -> Iterator[None]:
    """Import and build without looking for garbage, of which there is none: a sixth of the time goes into that.

    What is there afterwards stays until the end, and is never looked through again: the pauses for garbage depend
    on what requests leave behind, not on the size of the program.
    """
    malloc.share()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
