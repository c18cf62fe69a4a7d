"""Jobs of the media worker, one function per kind."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hortus_local.libraries import DRAWING, absent
from hortus_local.refusal import Refusal

Send = Callable[..., None]
Job = dict[str, Any]
Edits = dict[str, Callable[[int], Any]]
"""By operation: a function of the number of the take."""


def run(job: Job, send: Send) -> dict[str, float]:
    """Run the job in the current folder and return its usage."""
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
    prompt, size, color = job["prompt"], (job["width"], job["height"]), job["color"]
    images: Iterator[Any]
    if absent(DRAWING):
        from hortus_local import plain  # noqa: PLC0415 - each job loads only what it needs

        images = (plain.draw(prompt, *size, color=color, take=take) for take in range(job["count"]))
    else:
        from hortus_local.drawing.draw import draw  # noqa: PLC0415 - heavy, and after the bounds are set

        images = (draw(prompt, *size, style=job["style"], color=color, take=take) for take in range(job["count"]))
    return _send_images(images, job["count"], send)


def _edit(operation: str, job: Job, send: Send) -> dict[str, float]:
    edits = _plain_edits(job) if absent(DRAWING) else _edits(job)
    edit = edits.get(operation)
    if edit is None:
        raise Refusal("unsupported", f"no such job: {operation}")
    count = int(job["count"]) if operation == "image.restyle" else 1
    send(percent=5)
    return _send_images((edit(take) for take in range(count)), count, send)


def _edits(job: Job) -> Edits:
    from hortus_local import edit  # noqa: PLC0415 - heavy, and after the bounds are set

    source = Path(job["source"])
    return {
        "image.restyle": lambda take: edit.restyle(source, job["prompt"], job["style"], job["color"], take),
        "image.enhance": lambda _: edit.enhance(source),
        "image.upscale": lambda _: edit.upscale(source),
        "image.remove_background": lambda _: edit.remove_background(source),
    }


def _plain_edits(job: Job) -> Edits:
    from hortus_local import plain  # noqa: PLC0415 - each job loads only what it needs

    source = Path(job["source"])
    return {
        "image.restyle": lambda _: plain.restyle(source, job["prompt"], job["style"], job["color"]),
        "image.enhance": lambda _: plain.enhance(source),
        "image.upscale": lambda _: plain.upscale(source),
    }


def _send_images(images: Iterator[Any], count: int, send: Send) -> dict[str, float]:
    """Write each image, an array or one of Pillow's, as PNG and send its name."""
    for number, image in enumerate(images, 1):
        name = f"image-{number}.png"
        if absent(DRAWING):
            image.save(name)
        else:
            from hortus_local.images import write_png  # noqa: PLC0415 - heavy, and after the bounds are set

            write_png(Path(name), image)
        send(percent=100 * number // count)
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

    return Narration(job["language"], job["voice"])


def _throttled(send: Send) -> Callable[[int], None]:
    """A function that sends percents which only grow, at most ten times a second."""
    last = [-1, 0.0]

    def report(percent: int) -> None:
        if percent > last[0] and time.monotonic() - last[1] > 0.1:
            last[0], last[1] = percent, time.monotonic()
            send(percent=percent)

    return report
