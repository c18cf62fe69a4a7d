"""Image files of customers, opened with limits."""

from pathlib import Path

from PIL import Image, ImageOps

from hortus_local.refusal import Refusal

MAX_SIDE = 8192
MAX_PIXELS = 40_000_000
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")


def open_image(path: Path, longest: int, *, alpha: bool = False) -> Image.Image:
    """The image as RGB (or RGBA), upright, reduced so that no side exceeds `longest`. Refuses any other file."""
    try:
        with Image.open(path, formats=_FORMATS) as image:
            if max(image.size) > MAX_SIDE or image.width * image.height > MAX_PIXELS or min(image.size) < 8:
                raise Refusal("rejected", f"an image of {image.width} x {image.height} pixels")
            image.draft("RGB", (longest, longest))
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((longest, longest), Image.Resampling.LANCZOS)
            return upright.convert("RGBA") if alpha else _flatten(upright)
    except Refusal:
        raise
    except Exception as error:  # Pillow's decoders raise almost any exception on crafted files
        raise Refusal("rejected", f"not a readable image: {type(error).__name__}") from error


def _flatten(image: Image.Image) -> Image.Image:
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")
