"""Decode the image on standard input; measure it, or encode it again without metadata.

A script for `core.forked_worker`: it imports nothing of Hortus, and reads only standard input.
"""

import io
import struct
import sys
import warnings
import zlib
from typing import Any, BinaryIO

from PIL import (
    Image,
    ImageChops,
    ImageCms,
    ImageEnhance,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    UnidentifiedImageError,
)

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
MIME_TYPES = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}
SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 90},
    "PNG": {"compress_level": 3},
    "WEBP": {"quality": 90, "method": 2},
}
MAX_PROFILE_BYTES = 4 * 1024 * 1024
SRGB_GAMMA = 1 / 2.2
ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)


class UndecodableImage(Exception):
    """The image is refused. `code` is the problem's, `found` the type that the content has instead."""

    def __init__(self, code: str, found: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.found = found


class PixelsOfPng(PngImagePlugin.PngStream):
    """Pillow's reader of PNG, tolerant of broken metadata.

    Text chunks of any size are skipped; a colour profile of more than MAX_PROFILE_BYTES is ignored; checksums are
    verified for critical chunks only, as libpng does.
    """

    def _pass_over(self, pos: int, length: int) -> bytes:
        return self.fp.read(length) if self.fp is not None else b""

    chunk_tEXt = chunk_zTXt = chunk_iTXt = chunk_tIME = _pass_over  # noqa: N815 - Pillow finds them by these names

    def chunk_iCCP(self, pos: int, length: int) -> bytes:  # noqa: N802 - Pillow finds it by this name
        """The profile: name, a zero byte, the method of compression (0), the compressed profile."""
        content = self._pass_over(pos, length)
        _, _, packed = content.partition(b"\0")
        unpacking = zlib.decompressobj()
        try:
            profile = unpacking.decompress(packed[1:], MAX_PROFILE_BYTES) if packed[:1] == b"\0" else b""
        except zlib.error:
            profile = b""
        if profile and unpacking.eof:
            self.im_info["icc_profile"] = profile
        return content

    def crc(self, cid: bytes, data: bytes) -> None:
        """Verify the checksum of a critical chunk."""
        if cid[0] & 0x20:
            self.crc_skip(cid, data)
        else:
            super().crc(cid, data)


def read_segment(image: JpegImagePlugin.JpegImageFile, marker: int) -> None:
    """Read an application segment of a JPEG; one that Pillow cannot parse is skipped, as libjpeg does."""
    try:
        JpegImagePlugin.APP(image, marker)
    except (struct.error, SyntaxError, ValueError, LookupError, TypeError):
        return  # the whole segment has been read before any of it is parsed


_readers: dict[int, Any] = JpegImagePlugin.MARKER
_readers |= dict.fromkeys(range(0xFFE0, 0xFFF0), ("APP", "application segment", read_segment))
PngImagePlugin.PngStream = PixelsOfPng  # type: ignore[misc]  # Pillow lets a reader be chosen nowhere else
Image.MAX_IMAGE_PIXELS = None  # `max_pixels` is checked before decoding
Image.init()


def open_image(file: BinaryIO, max_pixels: int) -> Image.Image:
    """The image with its header read, not decoded yet."""
    try:
        image = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError as error:
        file.seek(0)
        raise UndecodableImage("unsupported_file_type", type_of(file.read(4096))) from error
    except Exception as error:  # decoders raise almost any exception on hostile bytes
        raise UndecodableImage("damaged_image") from error
    if image.width * image.height > max_pixels:
        raise UndecodableImage("too_many_pixels")
    return image


def type_of(head: bytes) -> str | None:
    """The MIME type that the first bytes of a file suggest."""
    import puremagic  # noqa: PLC0415 - only a refusal needs it

    try:
        return puremagic.from_string(head, mime=True) or None
    except (puremagic.PureError, ValueError):
        return None


def clean(image: Image.Image, *, enhance: bool, max_side: int) -> tuple[str, Image.Image]:
    """The upright sRGB image without metadata, and the format to encode it in."""
    source = str(image.format)
    scale = min(1.0, max_side / max(image.size)) if enhance and max_side else 1.0
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if scale < 1:
        image.draft(None, size)  # JPEG decodes at a half, a quarter or an eighth in a fraction of the time
    image.load()
    orientation = orientation_of(image)
    transparent = "A" in image.getbands() or "transparency" in image.info
    info = image.info
    if image.mode.startswith("I"):
        image = image.point(lambda value: value * (1 / 256)).convert("L")  # 16 bits a pixel
    if transparent:
        image = image.convert("RGBA")
    elif image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGB")
    if scale < 1:
        image = image.resize(size, Image.Resampling.BICUBIC)
    image = in_srgb(image, info, "RGBA" if transparent else "RGB")
    if enhance:
        image = enhanced(image)
    if orientation in TURNS:
        image = image.transpose(TURNS[orientation])
    image.info = {}
    if source == "WEBP":
        return "WEBP", image
    return ("PNG" if transparent or source in ("PNG", "GIF") else "JPEG"), image


def orientation_of(image: Image.Image) -> int:
    """The orientation tag of EXIF, 1 to 8; 1 without one."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # broken EXIF is common; the image is still good
        return 1


def in_srgb(image: Image.Image, info: dict[Any, Any], mode: str) -> Image.Image:
    """Convert to sRGB by the image's profile, else by its gamma (PNG). A broken or oversized profile is ignored."""
    profile = info.get("icc_profile")
    if isinstance(profile, bytes) and 0 < len(profile) <= MAX_PROFILE_BYTES:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if image.mode == "L" and source.profile.xcolor_space == "RGB ":
                image = image.convert("RGB")
            transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), image.mode, mode)
            if changes_colours(transform, image.mode, mode):
                return ImageCms.applyTransform(image, transform) or image.convert(mode)
        except (ImageCms.PyCMSError, ValueError, OSError):
            pass
        return image.convert(mode)
    gamma = info.get("gamma")
    if "srgb" not in info and isinstance(gamma, float) and 0.1 <= gamma <= 10 and abs(gamma - SRGB_GAMMA) > 0.02:
        return with_gamma(image.convert(mode), gamma)
    return image.convert(mode)


def changes_colours(transform: ImageCms.ImageCmsTransform, source: str, target: str) -> bool:
    """Whether a transform moves any of 4,096 colours of the cube by more than 2 of 255; profile names may be wrong."""
    if source not in ("RGB", "RGBA"):
        return True
    steps = range(0, 256, 17)
    cube = Image.frombytes(
        "RGB", (64, 64), bytes(value for r in steps for g in steps for b in steps for value in (r, g, b))
    )
    before = cube.convert(source)
    after = ImageCms.applyTransform(before, transform)
    if after is None:
        return False
    moved = ImageChops.difference(before.convert(target).convert("RGB"), after.convert("RGB"))
    return any(any(band.histogram()[3:]) for band in moved.split())


def with_gamma(image: Image.Image, gamma: float) -> Image.Image:
    """Convert samples that encode light to the power of `gamma` (the PNG chunk gAMA) to sRGB."""
    curve = [round(255 * srgb_of((sample / 255) ** (1 / gamma))) for sample in range(256)]
    colours = image.getbands()
    return image.point([value for band in colours for value in (range(256) if band == "A" else curve)])


def srgb_of(light: float) -> float:
    """The sRGB sample, 0 to 1, of linear light (IEC 61966-2-1)."""
    return 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055


def enhanced(image: Image.Image) -> Image.Image:
    """The image with evened levels and slightly sharper edges; transparency is unchanged."""
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    levelled = ImageOps.autocontrast(image.convert("RGB"), cutoff=0.5, preserve_tone=True)
    sharpened = ImageEnhance.Sharpness(levelled).enhance(1.3)
    if alpha is not None:
        sharpened.putalpha(alpha)
    return sharpened


def measure(image: Image.Image) -> dict[str, Any]:
    """Decode the image and return its type, and its size as viewers show it."""
    image.load()
    width, height = image.size
    if orientation_of(image) in SIDEWAYS:
        width, height = height, width
    return {"mime_type": MIME_TYPES[str(image.format)], "width": width, "height": height}


def main(operation: str, max_pixels: str, max_side: str) -> tuple[dict[str, Any], bytes]:
    """Facts or the code of a problem, and the new image. `operation` is measure, clean or enhance."""
    warnings.simplefilter("ignore")
    try:
        image = open_image(sys.stdin.buffer, int(max_pixels))
        try:
            if operation == "measure":
                return measure(image), b""
            kind, cleaned = clean(image, enhance=operation == "enhance", max_side=int(max_side))
        except MemoryError:
            raise
        except Exception as error:  # decoders raise almost any exception on hostile bytes
            raise UndecodableImage("damaged_image") from error
    except UndecodableImage as refused:
        return {"refused": refused.code, "found": refused.found}, b""
    out = io.BytesIO()
    cleaned.save(out, kind, **SAVE_OPTIONS[kind])
    return {"mime_type": MIME_TYPES[kind], "width": cleaned.width, "height": cleaned.height}, out.getvalue()
