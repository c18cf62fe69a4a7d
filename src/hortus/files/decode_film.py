"""A script: decode the first frames of the video on standard input with PyAV and print its facts.

    python -I decode_film.py MEMORY mp4|webm

The container is fixed by the caller, so that a playlist or another reader's trick is not even
tried. It reads only its standard input: nothing in the video can name another file or an address.
"""

import json
import sys

import av

FORMATS = {"mp4": "mp4", "webm": "matroska"}
FRAMES = 5


def limit_memory(most: int) -> None:
    """Let allocations beyond `most` bytes fail, where the system can."""
    try:
        import resource  # noqa: PLC0415 - there is none on Windows
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def main(memory: str, container: str) -> dict[str, int | None]:
    """Width, height and duration in ms. Whatever is wrong ends the process."""
    limit_memory(int(memory))
    with av.open(sys.stdin.buffer, mode="r", format=FORMATS[container]) as film:
        video = film.streams.video[0]
        video.codec_context.thread_count = 1
        frames = [frame.width for _, frame in zip(range(FRAMES), film.decode(video), strict=False)]
        if not frames:
            raise SystemExit("no frames")
        duration = int(film.duration) // 1000 if film.duration else None
        return {"width": video.width, "height": video.height, "duration_ms": duration}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201 - standard output is how the caller hears us
