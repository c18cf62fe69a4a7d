"""Decode an image in a process of its own, to measure it or to encode it again without metadata."""

from dataclasses import dataclass
from pathlib import Path

from hortus.core.forked_worker import ForkedWorker, WorkerDied, WorkerResult
from hortus.files.errors import DamagedImage, TooManyPixels, UnsupportedFileType

SECONDS = 20.0
"""The time limit for one image."""

_worker = ForkedWorker(Path(__file__).with_name("image_worker.py"))


@dataclass(frozen=True, slots=True)
class Image:
    """An image encoded here, with its type and its size in pixels."""

    data: bytes
    mime_type: str
    width: int
    height: int


async def measure_image(content: bytes | Path, max_pixels: int) -> tuple[str, int, int]:
    """MIME type, and width and height in pixels as viewers show it, of an image that decodes.

    Raises the errors of `clean_image`.
    """
    facts = (await _decode("measure", content, max_pixels)).facts
    return facts["mime_type"], facts["width"], facts["height"]


async def clean_image(content: bytes | Path, max_pixels: int, *, enhance: bool = False, max_side: int = 0) -> Image:
    """Decode the image and encode it again: upright, in sRGB, 8 bits a channel, without metadata.

    JPEG, PNG and WebP keep their format; the first frame of a GIF becomes a PNG; transparency is preserved.
    `enhance` also evens out the levels and sharpens a little, and scales an image with a side longer than `max_side`
    pixels (0: no limit) down to it.
    Raises UnsupportedFileType, TooManyPixels (before anything is decoded), DamagedImage.
    """
    answer = await _decode("enhance" if enhance else "clean", content, max_pixels, max_side)
    return Image(answer.data, answer.facts["mime_type"], answer.facts["width"], answer.facts["height"])


async def _decode(operation: str, content: bytes | Path, max_pixels: int, max_side: int = 0) -> WorkerResult:
    # At four bytes a pixel, five copies fit: more than any path through the worker holds.
    memory = 512 * 1024 * 1024 + 20 * max_pixels

    arguments = (operation, str(max_pixels), str(max_side))
    try:
        answer = await _worker.call(*arguments, content=content, seconds=SECONDS, memory=memory)
    except WorkerDied as error:
        raise DamagedImage from error
    refused = answer.facts.get("refused")
    if refused == TooManyPixels.code:
        raise TooManyPixels(max_pixels=max_pixels)
    if refused == UnsupportedFileType.code:
        raise UnsupportedFileType(found=answer.facts["found"])
    if refused is not None:
        raise DamagedImage
    return answer
