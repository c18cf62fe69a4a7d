"""Decode the first frames of the video on standard input with PyAV (a script for `core.forked_worker`).

The caller fixes the container, so that FFmpeg tries no playlist or other format. The script reads standard input only:
a video cannot make it open another file or an address.
"""

import sys
from itertools import islice

import av

FORMATS = {"mp4": "mp4", "webm": "matroska"}
FRAMES = 5


def main(container: str) -> tuple[dict[str, int | None], bytes]:
    """Width and height in pixels as players show it, and duration in ms. Any error ends the process."""
    with av.open(sys.stdin.buffer, mode="r", format=FORMATS[container]) as opened:
        video = opened.streams.video[0]
        video.codec_context.thread_count = 1
        frames = list(islice(opened.decode(video), FRAMES))
        if not frames:
            raise SystemExit("no frames")
        aspect = video.codec_context.sample_aspect_ratio or 1
        width, height = round(video.width * aspect), video.height
        if frames[0].rotation % 180:
            width, height = height, width
        duration = int(opened.duration) // 1000 if opened.duration else None
        return {"width": width, "height": height, "duration_ms": duration}, b""
