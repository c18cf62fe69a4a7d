"""Images as arrays: read from a file, written as PNG."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hortus_local.image_file import open_image
from hortus_local.refusal import Refusal

Pixels = NDArray[Any]
"""Bytes, height x width x channels."""


def read_image(path: Path, longest: int, *, alpha: bool = False) -> Pixels:
    """The pixels of `image_file.open_image`, to write to."""
    return np.asarray(open_image(path, longest, alpha=alpha)).copy()


def write_png(path: Path, pixels: Pixels) -> None:
    """Write RGB or RGBA pixels as PNG, quickly rather than small."""
    order = cv2.COLOR_RGBA2BGRA if pixels.shape[2] == 4 else cv2.COLOR_RGB2BGR
    if not cv2.imwrite(str(path), cv2.cvtColor(pixels, order), [cv2.IMWRITE_PNG_COMPRESSION, 3]):
        raise Refusal("unavailable", "the image could not be written")
