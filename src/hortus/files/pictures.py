"""Decode, check and re-encode pictures: what is stored was made by our encoder, without metadata."""

import io
import warnings
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageEnhance, ImageFile, ImageOps, UnidentifiedImageError

from hortus.files.errors import DamagedImage, TooManyPixels, UnsupportedFileType

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
ENHANCED_SIDE = 2048
ImageFile.LOAD_TRUNCATED_IMAGES = False
Image.MAX_IMAGE_PIXELS = None  # our own cap is checked before anything is decoded


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture and its facts."""

    data: bytes
    mime_type: str
    width: int
    height: int


def measure_picture(data: bytes, max_pixels: int) -> tuple[str, int, int]:
    """Mime type, width and height of a picture that really decodes. Raises what `clean_picture` raises."""
    image = _open(data, max_pixels)
    _load(image)
    return Image.MIME[str(image.format)], image.width, image.height


def clean_picture(data: bytes, max_pixels: int, *, enhance: bool = False) -> Picture:
    """Decode and encode anew: upright, without metadata, transparency kept.

    `enhance` also scales down to 2048 pixels a side, evens out the levels and sharpens a little.
    Raises UnsupportedFileType, TooManyPixels, DamagedImage.
    """
    image = _open(data, max_pixels)
    if enhance and image.format == "JPEG":
        image.draft("RGB", (ENHANCED_SIDE, ENHANCED_SIDE))  # decodes at a fraction of the size, and the time
    _load(image)
    transparent = "A" in image.getbands() or "transparency" in image.info
    keep_png = image.format in ("PNG", "GIF") or transparent
    try:
        upright: Image.Image = ImageOps.exif_transpose(image)
        plain = upright.convert("RGBA" if transparent else "RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise DamagedImage from error
    if enhance:
        plain = _enhance(plain)
    out = io.BytesIO()
    options: dict[str, Any] = {"compress_level": 3} if keep_png else {"quality": 90}
    kind = "PNG" if keep_png else "JPEG"
    Image.frombytes(plain.mode, plain.size, plain.tobytes()).save(out, kind, **options)
    return Picture(out.getvalue(), Image.MIME[kind], plain.width, plain.height)


def _enhance(image: Image.Image) -> Image.Image:
    image.thumbnail((ENHANCED_SIDE, ENHANCED_SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    levelled = ImageOps.autocontrast(image.convert("RGB"), cutoff=0.5, preserve_tone=True)
    sharpened = ImageEnhance.Sharpness(levelled).enhance(1.3)
    if alpha is not None:
        sharpened.putalpha(alpha)
    return sharpened


def _open(data: bytes, max_pixels: int) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise UnsupportedFileType from error
    except Exception as error:  # decoders of hostile bytes raise almost anything
        raise DamagedImage from error
    if image.width * image.height > max_pixels:
        raise TooManyPixels(max_pixels=max_pixels)
    return image


def _load(image: Image.Image) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
    except Exception as error:
        raise DamagedImage from error
