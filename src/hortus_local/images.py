"""Reading images that strangers send, and writing ours."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from hortus_local.refusal import Refusal

Pixels = NDArray[Any]
"""Bytes, height x width x channels."""
MAX_SIDE = 8192
MAX_PIXELS = 40_000_000
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")


def read_image(path: Path, longest: int, *, alpha: bool = False) -> Pixels:
    """RGB (or RGBA) pixels, upright, reduced so that no side exceeds `longest`. Refuses what is not an image."""
    try:
        with Image.open(path, formats=_FORMATS) as image:
            if max(image.size) > MAX_SIDE or image.width * image.height > MAX_PIXELS or min(image.size) < 8:
                raise Refusal("rejected", f"an image of {image.width} x {image.height} pixels")
            image.draft("RGB", (longest, longest))
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((longest, longest), Image.Resampling.LANCZOS)
            if alpha:
                return np.asarray(upright.convert("RGBA")).copy()
            return np.asarray(_flatten(upright)).copy()
    except Refusal:
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on crafted files
        raise Refusal("rejected", f"not a readable image: {type(error).__name__}") from error


def write_png(path: Path, pixels: Pixels) -> None:
    """Write RGB or RGBA pixels as PNG, quickly rather than small."""
    order = cv2.COLOR_RGBA2BGRA if pixels.shape[2] == 4 else cv2.COLOR_RGB2BGR
    if not cv2.imwrite(str(path), cv2.cvtColor(pixels, order), [cv2.IMWRITE_PNG_COMPRESSION, 3]):
        raise Refusal("unavailable", "the image could not be written")


def _flatten(image: Image.Image) -> Image.Image:
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(paper, layer).convert("RGB")
    return image.convert("RGB")
