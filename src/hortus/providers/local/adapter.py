"""The adapter: text in this process, pictures and videos in a worker process of their own."""

import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from hortus.providers.base import (
    Context,
    Delta,
    Done,
    Event,
    ImageRequest,
    Operation,
    Output,
    Request,
    TextRequest,
    Unsupported,
    Usage,
    VideoRequest,
)
from hortus.providers.local import writing
from hortus.providers.local.process import Workshop

LIBRARIES = {"av": "av", "cv2": "opencv-python-headless", "numpy": "numpy", "espeakng_loader": "espeakng-loader"}


class Options(BaseModel):
    """Nothing to choose."""


class Adapter:
    """Real results without a vendor: a sketch of what the others do."""

    id: ClassVar[str] = "local"
    title: ClassVar[str] = "This machine"
    operations: ClassVar[frozenset[Operation]] = frozenset(
        {
            "text",
            "chat",
            "image.generate",
            "image.restyle",
            "image.enhance",
            "image.upscale",
            "image.remove_background",
            "video.talking_photo",
            "video.text",
        }
    )
    Options: ClassVar[type[BaseModel]] = Options

    def __init__(self, context: Context) -> None:
        self._workshop = Workshop()
        self._absent = [name for module, name in LIBRARIES.items() if importlib.util.find_spec(module) is None]

    def missing(self) -> str | None:
        """What is not installed, if anything."""
        return f"install hortus[local]: {', '.join(self._absent)} missing" if self._absent else None

    def serves(self, model: str) -> bool:
        """The three sketch models."""
        return model in ("sketch-text", "sketch-image", "sketch-video")

    async def generate(self, request: Request) -> AsyncIterator[Event]:
        """Write, draw or film."""
        if isinstance(request, TextRequest):
            async for event in _write(request):
                yield event
            return
        job = _job_of(request)
        for number, media in enumerate(_sources(request)):
            path = request.workdir / f"source-{number}"
            path.write_bytes(media)
            job["source"] = str(path)
        outputs = 0
        async for event in self._workshop.run(job, request.workdir, request.timeout):
            outputs += isinstance(event, Output)
            yield event
        yield Done(Usage(images=outputs))


async def _write(request: TextRequest) -> AsyncIterator[Event]:
    draft = writing.write(request.messages, request.system, request.max_tokens)
    for piece in draft.pieces:
        yield Delta(piece)
    read = sum(writing.count_tokens(message.content) for message in request.messages)
    usage = Usage(input_tokens=read, output_tokens=sum(writing.count_tokens(piece) for piece in draft.pieces))
    yield Done(usage, "length" if draft.cut else "stop")


def _sources(request: Request) -> list[bytes]:
    media = request.source if isinstance(request, ImageRequest) else getattr(request, "photo", None)
    return [media.data] if media is not None else []


def _job_of(request: Request) -> dict[str, Any]:
    job: dict[str, Any] = {"operation": request.operation, "workdir": str(Path(request.workdir))}
    if isinstance(request, ImageRequest):
        names = ("prompt", "width", "height", "count", "style", "color")
    elif isinstance(request, VideoRequest):
        names = ("prompt", "script", "voice", "language", "aspect_ratio", "duration_s")
    else:
        raise Unsupported(f"{request.operation} is not known here")
    return {**job, **{name: getattr(request, name) for name in names}}
