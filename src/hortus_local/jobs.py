"""What the media worker can do: one function per kind of job."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hortus_local.refusal import Refusal

Say = Callable[..., None]
Job = dict[str, Any]


def run(job: Job, say: Say) -> dict[str, float]:
    """Do the job in the current folder; answer what was used."""
    operation = str(job["operation"])
    if operation == "image.generate":
        return _generate(job, say)
    if operation.startswith("image."):
        return _edit(operation, job, say)
    if operation == "video.talking_photo":
        return _talk(job, say)
    if operation == "video.text":
        return _tell_story(job, say)
    raise Refusal("unsupported", f"no such job: {operation}")


def _generate(job: Job, say: Say) -> dict[str, float]:
    from hortus_local.drawing.draw import draw  # noqa: PLC0415 - each job loads only what it needs
    from hortus_local.pictures import write_png  # noqa: PLC0415 - heavy, and after the bounds are set

    count = int(job["count"])
    for i in range(count):
        seed = None if job.get("seed") is None else int(job["seed"])
        pixels = draw(
            job["prompt"], job["width"], job["height"], style=job["style"], color=job["color"], take=i, seed=seed
        )
        name = f"picture-{i + 1}.png"
        write_png(Path(name), pixels)
        say(percent=100 * (i + 1) // count)
        say(output=name, mime_type="image/png")
    return {"images": count}


def _edit(operation: str, job: Job, say: Say) -> dict[str, float]:
    from hortus_local import edit  # noqa: PLC0415 - heavy, and after the bounds are set
    from hortus_local.pictures import write_png  # noqa: PLC0415 - heavy, and after the bounds are set

    source, count = Path(job["source"]), 1
    say(percent=5)
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
        name = f"picture-{i + 1}.png"
        write_png(Path(name), pixels)
        say(percent=100 * (i + 1) // len(results))
        say(output=name, mime_type="image/png")
    return {"images": count}


def _talk(job: Job, say: Say) -> dict[str, float]:
    from hortus_local.talking import film_photo  # noqa: PLC0415 - heavy, and after the bounds are set

    target = Path("film.mp4")
    seconds = film_photo(Path(job["photo"]), job["script"], job["aspect_ratio"], _manner(job), target, _teller(say))
    say(output=target.name, mime_type="video/mp4")
    return {"seconds": seconds}


def _tell_story(job: Job, say: Say) -> dict[str, float]:
    from hortus_local.story import film_story  # noqa: PLC0415 - heavy, and after the bounds are set

    target = Path("film.mp4")
    seconds = film_story(
        job["prompt"], job["script"], job["aspect_ratio"], job["duration_s"], _manner(job), target, _teller(say)
    )
    say(output=target.name, mime_type="video/mp4")
    return {"seconds": seconds}


def _manner(job: Job) -> Any:
    from hortus_local.talking import Manner  # noqa: PLC0415 - heavy, and after the bounds are set

    return Manner(job["language"], job["voice"], int(job["words_per_minute"]), bool(job["subtitles"]))


def _teller(say: Say) -> Callable[[int], None]:
    """Percents that only grow, said at most ten times a second."""
    last = [-1, 0.0]

    def tell(percent: int) -> None:
        if percent > last[0] and time.monotonic() - last[1] > 0.1:
            last[0], last[1] = percent, time.monotonic()
            say(percent=percent)

    return tell
