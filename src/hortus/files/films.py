"""Check a video: by PyAV in a process of its own where it is installed, by its boxes otherwise."""

import asyncio
import importlib.util
import json
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from hortus.files.errors import NotMedia

CHECK_SECONDS = 60.0
_PROBE = """
import json, sys
import av
with av.open(sys.argv[1]) as film:
    video = film.streams.video[0]
    frames = 0
    for frame in film.decode(video):
        frames += 1
        if frames >= 5:
            break
    assert frames
    duration = int(film.duration or 0) // 1000
    print(json.dumps([video.width, video.height, duration, film.format.name]))
"""


@dataclass(frozen=True, slots=True)
class Film:
    """The facts of a video."""

    mime_type: str
    width: int | None
    height: int | None
    duration_ms: int | None


async def measure_film(path: Path) -> Film:
    """The facts of a video file whose first frames really decode. Raises NotMedia."""
    if importlib.util.find_spec("av") is None:
        return await asyncio.to_thread(_read_boxes, path)
    probe = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PROBE, str(path), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            printed, _ = await probe.communicate()
    except TimeoutError:
        raise NotMedia("the video could not be checked in time") from None
    finally:
        if probe.returncode is None:
            probe.kill()
            await probe.wait()
    if probe.returncode != 0:
        raise NotMedia("no frame of the video could be decoded")
    width, height, duration, format_names = json.loads(printed)
    mime_type = "video/webm" if "webm" in format_names else "video/mp4"
    return Film(mime_type, width, height, duration or None)


def _read_boxes(path: Path) -> Film:
    """The least that makes an MP4: `ftyp` first and a `moov` with its duration."""
    with path.open("rb") as file:
        size = path.stat().st_size
        position, seen, duration = 0, list[bytes](), None
        while position + 8 <= size and len(seen) < 64:
            file.seek(position)
            length, name = struct.unpack(">I4s", file.read(8))
            if length == 1:
                length = struct.unpack(">Q", file.read(8))[0]
            length = length or size - position
            if length < 8 or position + length > size:
                raise NotMedia("the video is cut or no MP4")
            seen.append(name)
            if name == b"moov" and length < 64 * 1024 * 1024:
                duration = _duration_in(file.read(length - 8))
            position += length
    if seen[:1] != [b"ftyp"] or b"moov" not in seen:
        raise NotMedia("not an MP4 video")
    return Film("video/mp4", None, None, duration)


def _duration_in(moov: bytes) -> int | None:
    start = moov.find(b"mvhd")
    if start < 0 or len(moov) < start + 36 or moov[start + 4] != 0:
        return None
    scale, length = struct.unpack(">II", moov[start + 16 : start + 24])
    return length * 1000 // scale if scale else None
