"""Videos from outside: an MP4 must be whole; with PyAV installed the first frames must really decode."""

import asyncio
import importlib.util
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hortus.core.forked_worker import ForkedWorker, WorkerDied
from hortus.files.errors import NotMedia
from hortus.files.mp4 import read_mp4

SECONDS = 60.0
MEMORY = 2 * 1024 * 1024 * 1024

_worker = ForkedWorker(Path(__file__).with_name("video_worker.py"))
_slots = ThreadPoolExecutor(2, thread_name_prefix="video")


@dataclass(frozen=True, slots=True)
class Video:
    """The facts of a video: pixels as it is shown, and milliseconds where the container says."""

    mime_type: str
    width: int
    height: int
    duration_ms: int | None


async def measure_video(path: Path, *, decode: bool | None = None) -> Video:
    """The facts of an MP4 or WebM file. Raises NotMedia.

    `decode` says whether to decode the first frames; by default wherever PyAV is installed. Without
    it an MP4 is judged by its boxes and a WebM, of which we would know nothing, is refused.
    """
    wanted = importlib.util.find_spec("av") is not None if decode is None else decode
    return await asyncio.get_running_loop().run_in_executor(_slots, _measure, path, wanted)


def _measure(path: Path, decode: bool) -> Video:
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
            found = _worker.call(container, content=path, seconds=SECONDS, memory=MEMORY).facts
        except WorkerDied as error:
            raise NotMedia(f"no frame of the video could be decoded: {error}") from error
        length = found["duration_ms"] or (facts.duration_ms if facts is not None else None)
        return Video(f"video/{container}", found["width"], found["height"], length)
    if facts is None:
        raise NotMedia("a WebM can be checked only with the extra `local` installed")
    return Video("video/mp4", facts.width, facts.height, facts.duration_ms)
