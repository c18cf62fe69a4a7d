"""From what a customer sent to a checked wish with its route and price."""

from typing import Any, Literal

from hortus import files, routing
from hortus.accounts import Principal
from hortus.core.db import Tx
from hortus.core.resources import Resources
from hortus.generation.errors import NotAPicture
from hortus.generation.route import choose_route
from hortus.generation.schemas import ImageEditIn, ImageIn, QuoteIn, TextIn, VideoIn
from hortus.generation.service import Wish
from hortus.generation.tables import Generation
from hortus.providers import Operation
from hortus.routing import Size, Tier

SPOKEN_CHARACTERS_PER_SECOND = 12
TEXT_VIDEO_SECONDS = 6


def text_size(prompt: str, system: str | None, max_tokens: int) -> Size:
    """Tokens of the input, estimated, plus the most the answer may have."""
    return Size(tokens=routing.estimate_tokens(prompt) + routing.estimate_tokens(system or "") + max_tokens)


def spoken_seconds(script: str) -> int:
    """How long a script takes to say, rounded up."""
    return max(1, -(-len(script) // SPOKEN_CHARACTERS_PER_SECOND))


def text_wish(resources: Resources, caller: Principal, body: TextIn, **extra: Any) -> Wish:
    """A wish for text."""
    size = text_size(body.prompt, body.system, body.max_tokens)
    route = choose_route(resources, caller, "text", body.quality, body.model, size)
    asked = {"system": body.system, "max_tokens": body.max_tokens}
    return Wish(caller, "text", body.prompt, asked, body.quality, route, named=body.model is not None, **extra)


def image_wish(resources: Resources, caller: Principal, body: ImageIn, **extra: Any) -> Wish:
    """A wish for pictures."""
    width, height = body.pixels
    route = choose_route(resources, caller, "image.generate", body.quality, body.model, Size(images=body.count))
    asked = {"width": width, "height": height, "count": body.count, "style": body.style, "color": body.color}
    return Wish(
        caller,
        "image.generate",
        body.prompt,
        asked,
        body.quality,
        route,
        named=body.model is not None,
        count=body.count,
        **extra,
    )


async def edit_wish(tx: Tx, resources: Resources, caller: Principal, body: ImageEditIn, **extra: Any) -> Wish:
    """A wish to change a picture. Raises FileNotFound for another's file."""
    source = await _picture(tx, caller.user_id, body.file_id)
    operation: Operation = f"image.{body.operation}"  # type: ignore[assignment]
    route = choose_route(resources, caller, operation, body.quality, body.model, Size(images=1))
    asked = {"file_id": source.id, "width": source.width, "height": source.height, "count": 1}
    return Wish(caller, operation, body.prompt, asked, body.quality, route, named=body.model is not None, **extra)


async def video_wish(tx: Tx, resources: Resources, caller: Principal, body: VideoIn, **extra: Any) -> Wish:
    """A wish for a video. Raises FileNotFound for another's photo."""
    if body.photo_file_id is not None:
        await _picture(tx, caller.user_id, body.photo_file_id)
    seconds = spoken_seconds(body.script) if body.script else TEXT_VIDEO_SECONDS
    route = choose_route(resources, caller, body.operation, body.quality, body.model, Size(seconds=seconds))
    asked = body.model_dump(include={"script", "prompt", "voice", "language", "aspect_ratio"})
    asked["file_id"] = body.photo_file_id
    return Wish(
        caller,
        body.operation,
        body.script or body.prompt or "",
        asked,
        body.quality,
        route,
        named=body.model is not None,
        **extra,
    )


async def _picture(tx: Tx, user_id: str, file_id: str) -> files.File:
    found = await files.find(tx, user_id, file_id)
    if not found.mime_type.startswith("image/"):
        raise NotAPicture
    return found


def retry_wish(resources: Resources, caller: Principal, old: Generation, size: Size, **extra: Any) -> Wish:
    """The same wish again at today's price; by the same model if it is still offered."""
    operation: Operation = old.operation  # type: ignore[assignment]
    quality: Tier = old.quality  # type: ignore[assignment]
    route = choose_route(resources, caller, operation, quality, None, size)
    count = int(old.asked.get("count", 1))
    return Wish(caller, operation, old.prompt, old.asked, quality, route, count=count, retry_of=old.id, **extra)


def size_of(old: Generation) -> Size:
    """The size of a wish that was accepted before."""
    asked = old.asked
    if old.kind == "image":
        return Size(images=int(asked.get("count", 1)))
    if old.kind == "video":
        return Size(seconds=spoken_seconds(asked["script"]) if asked.get("script") else TEXT_VIDEO_SECONDS)
    return text_size(old.prompt, asked.get("system"), int(asked.get("max_tokens", 1024)))


def quote_of(body: QuoteIn) -> tuple[Operation, Size]:
    """What a quote is about."""
    kind: Literal["text", "chat", "image", "video"] = body.kind
    if kind == "image":
        return f"image.{body.operation}", Size(images=body.count)  # type: ignore[return-value]
    if kind == "video":
        seconds = spoken_seconds(body.script) if body.script else TEXT_VIDEO_SECONDS
        return ("video.talking_photo" if body.script else "video.text"), Size(seconds=seconds)
    return kind, text_size(body.prompt, None, body.max_tokens)
