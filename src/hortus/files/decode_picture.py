"""A script: decode the picture on standard input, and encode it anew unless only asked for its facts.

    python -I decode_picture.py MEMORY measure|clean|enhance MAX_PIXELS

Prints a line of JSON with the facts or an error code, then the new picture. It imports nothing
of Hortus, so that it starts in a tenth of a second.
"""

import io
import json
import sys
import warnings
from typing import Any, BinaryIO

from PIL import Image, ImageCms, ImageEnhance, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
MIME_TYPES = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}
ENHANCED_SIDE = 2048
MAX_PROFILE_BYTES = 4 * 1024 * 1024
ORIENTATION = 0x0112
TURNS = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT,),
    3: (Image.Transpose.ROTATE_180,),
    4: (Image.Transpose.FLIP_TOP_BOTTOM,),
    5: (Image.Transpose.TRANSPOSE,),
    6: (Image.Transpose.ROTATE_270,),
    7: (Image.Transpose.TRANSVERSE,),
    8: (Image.Transpose.ROTATE_90,),
}


class Refused(Exception):
    """The picture will not do. `code` is that of the problem, `found` the type it seems to be instead."""

    def __init__(self, code: str, found: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.found = found


def limit_memory(most: int) -> None:
    """Let allocations beyond `most` bytes fail, where the system can."""
    try:
        import resource  # noqa: PLC0415 - there is none on Windows
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def opened(file: BinaryIO, max_pixels: int) -> Image.Image:
    """The picture with its header read and nothing decoded."""
    try:
        image = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError as error:
        file.seek(0)
        raise Refused("unsupported_file_type", type_of(file.read(4096))) from error
    except Exception as error:  # decoders of hostile bytes raise almost anything
        raise Refused("damaged_image") from error
    if image.width * image.height > max_pixels:
        raise Refused("too_many_pixels")
    return image


def type_of(head: bytes) -> str | None:
    """The MIME type that the first bytes of a file tell of."""
    import puremagic  # noqa: PLC0415 - only a refusal needs it, every picture would wait for it

    try:
        return puremagic.from_string(head, mime=True) or None
    except (puremagic.PureError, ValueError):
        return None


def clean(image: Image.Image, *, enhance: bool) -> tuple[str, Image.Image]:
    """The upright sRGB picture without metadata, and the format to keep it in."""
    source = str(image.format)
    if enhance:
        # JPEG decodes at a half, a quarter or an eighth in a fraction of the time.
        scale = min(1.0, ENHANCED_SIDE / max(image.size))
        image.draft(None, (max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    image.load()
    turn = orientation_of(image)
    transparent = "A" in image.getbands() or "transparency" in image.info
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):
        image = image.point(lambda value: value * (1 / 256)).convert("L")  # 16 bits a pixel
    if transparent:
        image = image.convert("RGBA")
    elif image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGB")
    if enhance:
        image.thumbnail((ENHANCED_SIDE, ENHANCED_SIDE), Image.Resampling.BICUBIC, reducing_gap=None)
    image = in_srgb(image, profile, "RGBA" if transparent else "RGB")
    if enhance:
        image = improved(image)
    for step in TURNS.get(turn, ()):
        image = image.transpose(step)
    image.info = {}
    if source == "WEBP":
        return "WEBP", image
    return ("PNG" if transparent or source in ("PNG", "GIF") else "JPEG"), image


def orientation_of(image: Image.Image) -> int:
    """How the camera was held: 1 to 8 as in EXIF; 1 when it does not say."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # broken EXIF is common and no reason to refuse the picture
        return 1


def in_srgb(image: Image.Image, profile: object, mode: str) -> Image.Image:
    """Colours as the picture's profile means them. A profile that is broken or enormous is ignored."""
    if isinstance(profile, bytes) and 0 < len(profile) <= MAX_PROFILE_BYTES:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "srgb" not in ImageCms.getProfileDescription(source).lower():
                target = ImageCms.createProfile("sRGB")
                converted = ImageCms.profileToProfile(image, source, target, outputMode=mode)
                return converted if converted is not None else image.convert(mode)
        except (ImageCms.PyCMSError, ValueError, OSError):
            return image.convert(mode)
    return image.convert(mode)


def improved(image: Image.Image) -> Image.Image:
    """Levels evened out and edges a little sharper; transparency untouched."""
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    levelled = ImageOps.autocontrast(image.convert("RGB"), cutoff=0.5, preserve_tone=True)
    sharpened = ImageEnhance.Sharpness(levelled).enhance(1.3)
    if alpha is not None:
        sharpened.putalpha(alpha)
    return sharpened


def main(memory: str, wish: str, max_pixels: str) -> tuple[dict[str, Any], bytes]:
    """Facts and bytes to print."""
    limit_memory(int(memory))
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = None  # our own cap is checked before anything is decoded
    try:
        image = opened(sys.stdin.buffer, int(max_pixels))
        try:
            if wish == "measure":
                image.load()
                facts = {"mime_type": MIME_TYPES[str(image.format)], "width": image.width, "height": image.height}
                return facts, b""
            kind, cleaned = clean(image, enhance=wish == "enhance")
        except MemoryError:
            raise
        except Exception as error:  # decoders of hostile bytes raise almost anything
            raise Refused("damaged_image") from error
    except Refused as refused:
        return {"refused": refused.code, "found": refused.found}, b""
    options: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": 90},
        "PNG": {"compress_level": 3},
        "WEBP": {"quality": 90, "method": 2},
    }
    out = io.BytesIO()
    cleaned.save(out, kind, **options[kind])
    return {"mime_type": MIME_TYPES[kind], "width": cleaned.width, "height": cleaned.height}, out.getvalue()


if __name__ == "__main__":
    printed, picture = main(*sys.argv[1:])
    sys.stdout.buffer.write(json.dumps(printed).encode() + b"\n" + picture)
