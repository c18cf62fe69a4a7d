"""Measure a video: read the boxes of an MP4 and, where PyAV is installed, decode the first frames."""

import asyncio
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from hortus.core.forked_worker import ForkedWorker, WorkerDied
from hortus.files.errors import NotMedia
from hortus.files.mp4 import Facts, read_mp4

SECONDS = 60.0
MEMORY = 2 * 1024 * 1024 * 1024

_worker = ForkedWorker(Path(__file__).with_name("video_worker.py"))


@dataclass(frozen=True, slots=True)
class Video:
    """Type, width and height in pixels as players show it, and duration where the container has one."""

    mime_type: str
    width: int
    height: int
    duration_ms: int | None


async def measure_video(path: Path, *, decode: bool | None = None) -> Video:
    """Measure an MP4 or WebM file. Raises NotMedia.

    `decode` makes the first frames decode too; the default is to do so where PyAV is installed. Without it only the
    boxes of an MP4 are read, and a WebM, which cannot be measured then, is refused.
    """
    container, facts = await asyncio.to_thread(_read_container, path)
    if decode if decode is not None else importlib.util.find_spec("av") is not None:
        try:
            found = (await _worker.call(container, content=path, seconds=SECONDS, memory=MEMORY)).facts
        except WorkerDied as error:
            raise NotMedia(f"no frame of the video could be decoded: {error}") from error
        length = found["duration_ms"] or (facts.duration_ms if facts is not None else None)
        return Video(f"video/{container}", found["width"], found["height"], length)
    if facts is None:
        raise NotMedia("a WebM can be checked only with the extra `local` installed")
    return Video("video/mp4", facts.width, facts.height, facts.duration_ms)


def _read_container(path: Path) -> tuple[str, Facts | None]:
    """The container by the first bytes, and the facts that the boxes of an MP4 hold. Raises NotMedia."""
    with path.open("rb") as file:
        head = file.read(64)
    if head[4:8] == b"ftyp":
        return "mp4", read_mp4(path)
    if head[:4] == b"\x1a\x45\xdf\xa3" and b"webm" in head:
        return "webm", None
    raise NotMedia("neither MP4 nor WebM")
