"""The boxes of an MP4, read without decoding: completeness, size in pixels, duration."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hortus.files.errors import NotMedia

MAX_MOOV = 64 * 1024 * 1024
MAX_BOXES = 4096


@dataclass(frozen=True, slots=True)
class Facts:
    """Width and height in pixels as players show it, and duration where the container has one."""

    width: int
    height: int
    duration_ms: int | None


def read_mp4(path: Path) -> Facts:
    """Measure a complete MP4 with a video track. Raises NotMedia for a truncated file and for any other."""
    size, position, names, moov = path.stat().st_size, 0, list[bytes](), b""
    with path.open("rb") as file:
        while position < size:
            file.seek(position)
            header, length, name = _header(file.read(16), size - position)
            names.append(name)
            if name == b"moov" and length <= MAX_MOOV:
                file.seek(position + header)
                moov = file.read(length - header)
            position += length
            if len(names) > MAX_BOXES:
                raise NotMedia("the video has too many parts")
    if names[:1] != [b"ftyp"] or b"mdat" not in names or not moov:
        raise NotMedia("not an MP4 video")
    try:
        return _movie(moov)
    except (struct.error, IndexError) as error:
        raise NotMedia("the video's index is damaged") from error


def _header(start: bytes, left: int) -> tuple[int, int, bytes]:
    """Bytes of the header, of the whole box, and its name."""
    if len(start) < 8:
        raise NotMedia("the video is truncated")
    length, name = struct.unpack_from(">I4s", start)
    header = 8
    if length == 1 and len(start) == 16:
        header, length = 16, struct.unpack_from(">Q", start, 8)[0]
    elif length == 0:
        length = left
    if not header <= length <= left:
        raise NotMedia("the video is truncated or not an MP4")
    return header, length, name


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    for _ in range(MAX_BOXES):
        if position + 8 > len(data):
            return
        header, length, name = _header(data[position : position + 16], len(data) - position)
        yield name, data[position + header : position + length]
        position += length


def _movie(moov: bytes) -> Facts:
    duration, side = None, None
    for name, content in _boxes(moov):
        if name == b"mvhd":
            duration = _duration(content)
        elif name == b"trak" and side is None:
            side = _side_of_video(content)
    if side is None:
        raise NotMedia("there is no video track")
    return Facts(*side, duration)


def _duration(mvhd: bytes) -> int | None:
    form, offset = (">IQ", 20) if mvhd[0] == 1 else (">II", 12)
    scale, length = struct.unpack_from(form, mvhd, offset)
    return length * 1000 // scale if scale and length else None


def _side_of_video(trak: bytes) -> tuple[int, int] | None:
    """Width and height of a track as players show it; None for a track without frames (ISO 14496-12, 8.3.2)."""
    parts = dict(_boxes(trak))
    handler = dict(_boxes(parts.get(b"mdia", b""))).get(b"hdlr", b"")
    if handler[8:12] != b"vide":
        return None
    head = parts.get(b"tkhd", b"")
    start = 52 if head[0] == 1 else 40
    a, b, _, c, d, _, *_, width, height = struct.unpack_from(">9iII", head, start)
    width, height = width >> 16, height >> 16
    if not (width and height):
        return None
    quarter_turn = abs(b) > abs(a) and abs(c) > abs(d)
    return (height, width) if quarter_turn else (width, height)
