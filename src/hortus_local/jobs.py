"""What the media worker can do: one function per kind of job."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hortus_local.refusal import Refusal

Send = Callable[..., None]
Job = dict[str, Any]


def run(job: Job, send: Send) -> dict[str, float]:
    """Do the job in the current folder; answer what was used."""
    operation = str(job["operation"])
    if operation == "image.generate":
        return _generate(job, send)
    if operation.startswith("image."):
        return _edit(operation, job, send)
    if operation == "video.talking_photo":
        return _talking_photo(job, send)
    if operation == "video.text":
        return _slideshow(job, send)
    raise Refusal("unsupported", f"no such job: {operation}")


def _generate(job: Job, send: Send) -> dict[str, float]:
    from hortus_local.drawing.draw import draw  # noqa: PLC0415 - each job loads only what it needs
    from hortus_local.images import write_png  # noqa: PLC0415 - heavy, and after the bounds are set

    count = int(job["count"])
    for i in range(count):
        seed = None if job.get("seed") is None else int(job["seed"])
        pixels = draw(
            job["prompt"], job["width"], job["height"], style=job["style"], color=job["color"], take=i, seed=seed
        )
        name = f"image-{i + 1}.png"
        write_png(Path(name), pixels)
        send(percent=100 * (i + 1) // count)
        send(output=name, mime_type="image/png")
    return {"images": count}


def _edit(operation: str, job: Job, send: Send) -> dict[str, float]:
    from hortus_local import edit  # noqa: PLC0415 - heavy, and after the bounds are set
    from hortus_local.images import write_png  # noqa: PLC0415 - heavy, and after the bounds are set

    source, count = Path(job["source"]), 1
    send(percent=5)
    if operation == "image.restyle":
        count = int(job["count"])
        results = [edit.restyle(source, job["prompt"], job["style"], job["color"], take) for take in range(count)]
    elif operation == "image.enhance":
        results = [edit.enhance(source)]
    elif operation == "image.upscale":
        results = [edit.upscale(source)]
    elif operation == "image.remove_background":
        results = [edit.remove_background(source)]
    else:
        raise Refusal("unsupported", f"no such job: {operation}")
    for i, pixels in enumerate(results):
        name = f"image-{i + 1}.png"
        write_png(Path(name), pixels)
        send(percent=100 * (i + 1) // len(results))
        send(output=name, mime_type="image/png")
    return {"images": count}


def _talking_photo(job: Job, send: Send) -> dict[str, float]:
    from hortus_local.talking_photo import animate_photo  # noqa: PLC0415 - heavy, and after the bounds are set

    target = Path("video.mp4")
    seconds = animate_photo(
        Path(job["photo"]), job["script"], job["aspect_ratio"], _narration(job), target, _throttled(send)
    )
    send(output=target.name, mime_type="video/mp4")
    return {"seconds": seconds}


def _slideshow(job: Job, send: Send) -> dict[str, float]:
    from hortus_local.slideshow import write_slideshow  # noqa: PLC0415 - heavy, and after the bounds are set

    target = Path("video.mp4")
    seconds = write_slideshow(
        job["prompt"], job["script"], job["aspect_ratio"], job["duration_s"], _narration(job), target, _throttled(send)
    )
    send(output=target.name, mime_type="video/mp4")
    return {"seconds": seconds}


def _narration(job: Job) -> Any:
    from hortus_local.talking_photo import Narration  # noqa: PLC0415 - heavy, and after the bounds are set

    return Narration(job["language"], job["voice"], int(job["words_per_minute"]), bool(job["subtitles"]))


def _throttled(send: Send) -> Callable[[int], None]:
    """Percents that only grow, said at most ten times a second."""
    last = [-1, 0.0]

    def report(percent: int) -> None:
        if percent > last[0] and time.monotonic() - last[1] > 0.1:
            last[0], last[1] = percent, time.monotonic()
            send(percent=percent)

    return report
