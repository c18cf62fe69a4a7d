"""The `local` provider: no key, no network, real output."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, ClassVar

from hortus.providers import (
    Context,
    Event,
    ImageRequest,
    Media,
    NotConfigured,
    Operation,
    Rejected,
    Request,
    Speech,
    TextRequest,
    Unsupported,
    VideoRequest,
)
from hortus_local import text_sketch, voices
from hortus_local.libraries import DRAWING, VIDEO, absent, how_to_install
from hortus_local.worker_pool import WorkerPool

_TEXT, _IMAGE, _VIDEO = "sketch-text", "sketch-image", "sketch-video"
_MAX_SIDE = 2048
_MAX_IMAGES = 8
_MAX_PROMPT = 4_000


_TEXTS: frozenset[Operation] = frozenset({"text", "chat"})
_PLAIN_IMAGES: frozenset[Operation] = frozenset({"image.generate", "image.restyle", "image.enhance", "image.upscale"})
_IMAGES: frozenset[Operation] = _PLAIN_IMAGES | {"image.remove_background"}
_VIDEOS: frozenset[Operation] = frozenset({"video.talking_photo", "video.text"})


class Adapter:
    """Sketches for every operation, so that the whole product can be tried without an account at a vendor."""

    id: ClassVar[str] = "local"
    title: ClassVar[str] = "Local sketch"

    def __init__(self, context: Context) -> None:
        self._workers = WorkerPool()

    def missing(self) -> str | None:
        """Always None: texts and plain images need no optional library."""
        return None

    @property
    def operations(self) -> frozenset[Operation]:
        """The operations that the installed libraries support."""
        images = _PLAIN_IMAGES if absent(DRAWING) else _IMAGES
        return _TEXTS | images | (frozenset() if absent(VIDEO) else _VIDEOS)

    def serves(self, model: str) -> bool:
        """There are three models, one per kind of work; the one for videos needs the extra `local`."""
        return model in {_TEXT, _IMAGE} or (model == _VIDEO and not absent(VIDEO))

    def speech(self) -> Speech | None:
        """The languages and voices of espeak-ng."""
        known = voices.known()
        return None if known is None else Speech(*known)

    async def generate(self, request: Request) -> AsyncIterator[Event]:
        """Write in this process; draw and render video in a child process that dies with the iterator."""
        _expect_libraries(request.operation)
        if isinstance(request, TextRequest):
            _expect(request, _TEXT)
            for event in text_sketch.write(request):
                yield event
                await asyncio.sleep(0)
            return
        if isinstance(request, ImageRequest):
            _expect(request, _IMAGE)
            job = await asyncio.to_thread(_plan_images, request)
        elif isinstance(request, VideoRequest):
            _expect(request, _VIDEO)
            job = await asyncio.to_thread(_plan_video, request)
        else:
            raise Unsupported(f"a {type(request).__name__} is not supported")
        events = self._workers.run(job, request.workdir, request.timeout)
        async with aclosing(events):
            async for event in events:
                yield event


def _expect_libraries(operation: Operation) -> None:
    needed = VIDEO if operation in _VIDEOS else DRAWING if operation in _IMAGES - _PLAIN_IMAGES else ()
    lacking = how_to_install(needed)
    if lacking is not None:
        raise NotConfigured(lacking)


def _expect(request: Request, model: str) -> None:
    if request.model != model:
        raise Unsupported(f"{request.model!r} does no {request.operation}; {model!r} does")


def _plan_images(request: ImageRequest) -> dict[str, Any]:
    if not (16 <= request.width <= _MAX_SIDE and 16 <= request.height <= _MAX_SIDE):
        raise Rejected(f"images have 16 to {_MAX_SIDE} pixels a side", "bad_input")
    if not 1 <= request.count <= _MAX_IMAGES:
        raise Rejected(f"1 to {_MAX_IMAGES} images at a time", "bad_input")
    job: dict[str, Any] = {
        "operation": request.operation, "prompt": request.prompt[:_MAX_PROMPT], "style": request.style,
        "color": request.color, "width": request.width, "height": request.height, "count": request.count,
    }  # fmt: skip
    if request.operation != "image.generate":
        job["source"] = _write_source(request.source, request.workdir, "source")
    return job


def _plan_video(request: VideoRequest) -> dict[str, Any]:
    job: dict[str, Any] = {
        "operation": request.operation, "script": request.script, "voice": request.voice, "language": request.language,
        "aspect_ratio": request.aspect_ratio, "duration_s": request.duration_s,
    }  # fmt: skip
    if request.operation == "video.talking_photo":
        if not request.script or not request.script.strip():
            raise Rejected("a talking photo needs a script", "bad_input")
        job["photo"] = _write_source(request.photo, request.workdir, "photo")
    else:
        if not request.prompt or not request.prompt.strip():
            raise Rejected("a video needs a prompt", "bad_input")
        job["prompt"] = request.prompt[:_MAX_PROMPT]
    return job


def _write_source(media: Media | None, workdir: Path, name: str) -> str:
    """Write the customer's image where the worker finds it."""
    if media is None:
        raise Rejected(f"the {name} is missing", "bad_input")
    path = workdir / name
    path.write_bytes(media.data)
    return path.name
