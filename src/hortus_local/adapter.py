"""The `local` provider: no key, no network, real output."""

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hortus.providers import (
    Context,
    Event,
    ImageRequest,
    Media,
    Operation,
    Rejected,
    Request,
    Speech,
    TextRequest,
    Unsupported,
    VideoRequest,
)
from hortus_local import text_sketch, voices
from hortus_local.worker_pool import WorkerPool

_TEXT, _IMAGE, _VIDEO = "sketch-text", "sketch-image", "sketch-video"
_LIBRARIES = ("av", "cv2", "espeakng_loader", "fontpkg_noto_sans", "fontpkg_noto_sans_devanagari", "numpy", "PIL")
_MAX_SIDE = 2048
_MAX_IMAGES = 8
_MAX_PROMPT = 4_000


@cache
def _missing_libraries() -> str | None:
    # Asked at every choice of a route: a look through the import path takes a millisecond, so one look must do.
    absent = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if not absent:
        return None
    return f"install the media libraries: pip install 'hortus[local]' (missing: {', '.join(absent)})"


class LocalOptions(BaseModel):
    """What can be chosen beyond the request itself."""

    model_config = ConfigDict(extra="ignore")

    seed: int | None = Field(None, ge=0, lt=2**31, description="Draw the same image again; else the prompt decides")
    subtitles: bool = Field(True, description="Show the words while they are said")
    words_per_minute: int = Field(160, ge=80, le=300, description="How fast the voice speaks")


class Adapter:
    """Sketches of everything: enough to see the whole product work before a card is out of the pocket."""

    id: ClassVar[str] = "local"
    title: ClassVar[str] = "Local sketch"
    operations: ClassVar[frozenset[Operation]] = frozenset(
        {
            "text", "chat", "image.generate", "image.restyle", "image.enhance", "image.upscale",
            "image.remove_background", "video.talking_photo", "video.text",
        }
    )  # fmt: skip
    Options: ClassVar[type[BaseModel]] = LocalOptions

    def __init__(self, context: Context) -> None:
        self._workers = WorkerPool()

    def missing(self) -> str | None:
        """One line on what to install; text works without, but half a provider is none."""
        return _missing_libraries()

    def serves(self, model: str) -> bool:
        """There are three models, one per kind of work."""
        return model in {_TEXT, _IMAGE, _VIDEO}

    def speech(self) -> Speech | None:
        """The languages and voices of espeak-ng."""
        known = voices.known()
        return None if known is None else Speech(*known)

    async def generate(self, request: Request) -> AsyncIterator[Event]:
        """Write in this process; draw and render video in a child process that dies with the iterator."""
        options = _read_options(request)
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
            raise Unsupported(f"a {type(request).__name__} is nothing to sketch")
        events = self._workers.run(job | options.model_dump(), request.workdir, request.timeout)
        async with aclosing(events):
            async for event in events:
                yield event


def _read_options(request: Request) -> LocalOptions:
    try:
        return LocalOptions.model_validate(request.options)
    except ValidationError as error:
        raise Rejected(f"options: {error.error_count()} wrong", "bad_input") from error


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
