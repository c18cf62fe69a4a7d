"""The media worker: reads one job from standard input, writes news to standard output, line by line of JSON.

A process of its own, because its libraries are GPL and its input is hostile: memory is
bounded, and it dies with its parent.
"""

import json
import os
import resource
import sys
import threading
from pathlib import Path
from typing import Any

MEMORY = 3 * 1024**3


def main() -> None:
    """Do one job."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_die_with_parent, daemon=True).start()
    from hortus.providers.local.refusal import Refusal  # noqa: PLC0415 - heavy imports come after the bounds

    try:
        for path, mime_type in _work(job):
            _say(output=path.name, mime_type=mime_type)
    except Refusal as refusal:
        _say(refusal=refusal.code, detail=refusal.detail, reason=refusal.reason)
    except MemoryError:
        _say(refusal="unavailable", detail="out of memory", reason="")
    else:
        _say(done=True)


def _die_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def _say(**news: Any) -> None:
    print(json.dumps(news), flush=True)  # noqa: T201 - this is how it talks


def _work(job: dict[str, Any]) -> list[tuple[Path, str]]:
    workdir = Path(job["workdir"])
    kind = job["operation"].partition(".")[0]
    return _film(job, workdir) if kind == "video" else _draw(job, workdir)


def _draw(job: dict[str, Any], workdir: Path) -> list[tuple[Path, str]]:
    from hortus.providers.local import edit  # noqa: PLC0415 - see `main`
    from hortus.providers.local.drawing import scene  # noqa: PLC0415 - see `main`

    made: list[tuple[Path, str]] = []
    for number in range(job["count"]):
        if job["operation"] == "image.generate":
            picture = scene.draw(
                job["prompt"], job["width"], job["height"], number=number, style=job["style"], color=job["color"]
            )
        else:
            picture = edit.edit(job["operation"], Path(job["source"]).read_bytes(), job["prompt"])
        path = workdir / f"picture-{number}.png"
        picture.save(path, compress_level=3)
        made.append((path, "image/png"))
        _say(progress=100 * (number + 1) // (job["count"] + 1))
    return made


def _film(job: dict[str, Any], workdir: Path) -> list[tuple[Path, str]]:
    from hortus.providers.local import film  # noqa: PLC0415 - see `main`
    from hortus.providers.local.drawing import scene  # noqa: PLC0415 - see `main`

    target = workdir / "film.mp4"
    shared = {"language": job["language"], "aspect_ratio": job["aspect_ratio"], "target": target}
    if job["operation"] == "video.talking_photo":
        photo = Path(job["source"]).read_bytes()
        film.talking_photo(photo, job["script"], voice=job["voice"], progress=_progress, **shared)
    else:
        picture = scene.draw(job["prompt"], 1152, 1152, number=0, style=None, color=None)
        film.narrated_scene(picture, job["prompt"], seconds=job["duration_s"], progress=_progress, **shared)
    return [(target, "video/mp4")]


def _progress(percent: int) -> None:
    _say(progress=percent)


if __name__ == "__main__":
    main()
