"""Images from outside: checked by really decoding them; uploads are encoded anew, without metadata."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hortus.core.forked_worker import ForkedWorker, WorkerDied, WorkerResult
from hortus.files.errors import DamagedImage, TooManyPixels, UnsupportedFileType

SECONDS = 20.0
"""How long one image may take."""

_worker = ForkedWorker(Path(__file__).with_name("image_worker.py"))
_slots = ThreadPoolExecutor(2, thread_name_prefix="image")
"""Decoding is heavy: two processes at a time, each awaited by a thread."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image encoded by our own encoder, and its facts."""

    data: bytes
    mime_type: str
    width: int
    height: int


async def measure_image(content: bytes | Path, max_pixels: int) -> tuple[str, int, int]:
    """MIME type, and width and height in pixels as it is shown, of an image that really decodes.

    Raises what `clean_image` raises.
    """
    facts = (await _decode("measure", content, max_pixels)).facts
    return facts["mime_type"], facts["width"], facts["height"]


async def clean_image(content: bytes | Path, max_pixels: int, *, enhance: bool = False, max_side: int = 0) -> Image:
    """The image decoded and encoded anew: upright, in sRGB, 8 bits a channel, without metadata.

    JPEG, PNG and WebP stay what they are, of a GIF the first frame is kept as PNG; transparency is kept.
    `enhance` also evens out the levels and sharpens a little; it keeps the size, but for an image with a side longer
    than `max_side` pixels (0: none is), which is scaled down to it.
    Raises UnsupportedFileType, TooManyPixels (before anything is decoded), DamagedImage.
    """
    answer = await _decode("enhance" if enhance else "clean", content, max_pixels, max_side)
    return Image(answer.data, answer.facts["mime_type"], answer.facts["width"], answer.facts["height"])


async def _decode(operation: str, content: bytes | Path, max_pixels: int, max_side: int = 0) -> WorkerResult:
    # At four bytes a pixel, five copies fit: more than any path through the worker holds.
    memory = 512 * 1024 * 1024 + 20 * max_pixels

    def call() -> WorkerResult:
        arguments = (operation, str(max_pixels), str(max_side))
        return _worker.call(*arguments, content=content, seconds=SECONDS, memory=memory)

    try:
        answer = await asyncio.get_running_loop().run_in_executor(_slots, call)
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
