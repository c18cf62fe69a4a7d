"""Videos from outside: an MP4 must be whole; with PyAV installed the first frames must really decode."""

import asyncio
import importlib.util
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hortus.files.bounded import ScriptDied, run_script
from hortus.files.boxes import read_mp4
from hortus.files.errors import NotMedia

SECONDS = 60.0
MEMORY = 2 * 1024 * 1024 * 1024

_at_once = ThreadPoolExecutor(2, thread_name_prefix="film")


@dataclass(frozen=True, slots=True)
class Film:
    """The facts of a video; pixels, and milliseconds where the container says."""

    mime_type: str
    width: int
    height: int
    duration_ms: int | None


async def measure_film(path: Path, *, decode: bool | None = None) -> Film:
    """The facts of an MP4 or WebM file. Raises NotMedia.

    `decode` says whether to decode the first frames; by default wherever PyAV is installed. Without
    it an MP4 is judged by its boxes and a WebM, of which we would know nothing, is refused.
    """
    wanted = importlib.util.find_spec("av") is not None if decode is None else decode
    return await asyncio.get_running_loop().run_in_executor(_at_once, _measure, path, wanted)


def _measure(path: Path, decode: bool) -> Film:
    with path.open("rb") as file:
        head = file.read(64)
    if head[4:8] == b"ftyp":
        container, facts = "mp4", read_mp4(path)
    elif head[:4] == b"\x1a\x45\xdf\xa3" and b"webm" in head:
        container, facts = "webm", None
    else:
        raise NotMedia("neither MP4 nor WebM")
    if decode:
        try:
            found = run_script("decode_film.py", [container], path, seconds=SECONDS, memory=MEMORY).facts
        except ScriptDied as error:
            raise NotMedia(f"no frame of the video could be decoded: {error}") from error
        length = found["duration_ms"] or (facts.duration_ms if facts is not None else None)
        return Film(f"video/{container}", found["width"], found["height"], length)
    if facts is None:
        raise NotMedia("a WebM can be checked only with the extra `local` installed")
    return Film("video/mp4", facts.width, facts.height, facts.duration_ms)
