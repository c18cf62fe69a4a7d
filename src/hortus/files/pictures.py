"""Pictures from outside: checked by really decoding them; uploads are encoded anew, without metadata."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hortus.files.bounded import Answer, ScriptDied, run_script
from hortus.files.errors import DamagedImage, TooManyPixels, UnsupportedFileType

SECONDS = 20.0
"""How long one picture may take."""

_at_once = ThreadPoolExecutor(2, thread_name_prefix="decode")
"""Decoding is heavy: two processes at a time, each awaited by a thread."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture made by our own encoder, and its facts."""

    data: bytes
    mime_type: str
    width: int
    height: int


async def measure_picture(content: bytes | Path, max_pixels: int) -> tuple[str, int, int]:
    """Mime type, width and height of a picture that really decodes. Raises what `clean_picture` raises."""
    facts = (await _decode("measure", content, max_pixels)).facts
    return facts["mime_type"], facts["width"], facts["height"]


async def clean_picture(content: bytes | Path, max_pixels: int, *, enhance: bool = False) -> Picture:
    """The picture decoded and encoded anew: upright, in sRGB, 8 bits a channel, without metadata.

    JPEG, PNG and WebP stay what they are, of a GIF the first frame is kept as PNG; transparency is kept.
    `enhance` also scales down to 2048 pixels a side, evens out the levels and sharpens a little.
    Raises UnsupportedFileType, TooManyPixels (before anything is decoded), DamagedImage.
    """
    answer = await _decode("enhance" if enhance else "clean", content, max_pixels)
    return Picture(answer.data, answer.facts["mime_type"], answer.facts["width"], answer.facts["height"])


async def _decode(wish: str, content: bytes | Path, max_pixels: int) -> Answer:
    # At four bytes a pixel, five copies fit: more than any path through the script holds.
    memory = 512 * 1024 * 1024 + 20 * max_pixels

    def work() -> Answer:
        return run_script("decode_picture.py", [wish, str(max_pixels)], content, seconds=SECONDS, memory=memory)

    try:
        answer = await asyncio.get_running_loop().run_in_executor(_at_once, work)
    except ScriptDied as error:
        raise DamagedImage from error
    refused = answer.facts.get("refused")
    if refused == TooManyPixels.code:
        raise TooManyPixels(max_pixels=max_pixels)
    if refused == UnsupportedFileType.code:
        raise UnsupportedFileType(found=answer.facts["found"])
    if refused is not None:
        raise DamagedImage
    return answer
