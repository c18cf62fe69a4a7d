"""Build GenerationRequests: from the body of an HTTP request to a checked request with its route and price."""

from typing import Any, Literal

from hortus import files, routing
from hortus.accounts import Principal
from hortus.auth import ModelNotAllowed
from hortus.core.db import Tx
from hortus.core.resources import Resources
from hortus.generation.errors import NotAnImage, unknown_option
from hortus.generation.schemas import ImageEditIn, ImageIn, QuoteIn, TextIn, VideoIn
from hortus.generation.service import GenerationRequest
from hortus.generation.sizes import CHAT_MAX_TOKENS, CHAT_SYSTEM, edit_size, image_size, text_size, video_size
from hortus.generation.tables import Generation
from hortus.providers import Operation, Registry, Speaking
from hortus.routing import Catalog, NothingOffered, OfferHealth, Route, Size, Tier


def choose_route(
    resources: Resources, caller: Principal, operation: Operation, quality: Tier, model: str | None, size: Size
) -> Route:
    """The route of a request by models that the caller may use, with its price. Raises the refusals of routing."""
    allowed = caller.models
    if allowed is not None and model is not None and model not in allowed:
        raise ModelNotAllowed(model=model, models=sorted(allowed))
    try:
        return routing.choose(
            resources[Catalog],
            resources[Registry],
            resources[OfferHealth],
            operation,
            quality=quality,
            model=model,
            among=allowed,
            size=size,
        )
    except NothingOffered:
        if allowed is None:
            raise
        raise ModelNotAllowed(models=sorted(allowed)) from None


def build_text_request(resources: Resources, caller: Principal, body: TextIn, **extra: Any) -> GenerationRequest:
    """A request for text."""
    size = text_size(body.prompt, body.system, body.max_tokens)
    route = choose_route(resources, caller, "text", body.quality, body.model, size)
    params = {"system": body.system, "max_tokens": body.max_tokens}
    return GenerationRequest(
        caller, "text", body.prompt, params, body.quality, route, named=body.model is not None, **extra
    )


def build_image_request(resources: Resources, caller: Principal, body: ImageIn, **extra: Any) -> GenerationRequest:
    """A request for images."""
    width, height = body.pixels
    size = image_size(width, height, body.count)
    route = choose_route(resources, caller, "image.generate", body.quality, body.model, size)
    params = {"width": width, "height": height, "count": body.count, "style": body.style, "color": body.color}
    return GenerationRequest(
        caller,
        "image.generate",
        body.prompt,
        params,
        body.quality,
        route,
        named=body.model is not None,
        count=body.count,
        **extra,
    )


async def build_edit_request(
    tx: Tx, resources: Resources, caller: Principal, body: ImageEditIn, **extra: Any
) -> GenerationRequest:
    """A request to edit an image. Raises FileNotFound for another's file."""
    source = await _image(tx, caller.user_id, body.file_id)
    operation: Operation = f"image.{body.operation}"  # type: ignore[assignment]
    size = edit_size(operation, source.width or 0, source.height or 0)
    route = choose_route(resources, caller, operation, body.quality, body.model, size)
    params = {"file_id": source.id, "width": source.width, "height": source.height, "count": 1}
    return GenerationRequest(
        caller, operation, body.prompt, params, body.quality, route, named=body.model is not None, **extra
    )


async def build_video_request(
    tx: Tx, resources: Resources, caller: Principal, body: VideoIn, **extra: Any
) -> GenerationRequest:
    """A request for a video. Raises FileNotFound for another's photo."""
    if body.photo_file_id is not None:
        await _image(tx, caller.user_id, body.photo_file_id)
    size = video_size(body.script, body.duration_s)
    route = choose_route(resources, caller, body.operation, body.quality, body.model, size)
    _check_speech(resources[Registry], route, body)
    params = body.model_dump(include={"script", "prompt", "voice", "language", "aspect_ratio", "duration_s"})
    params["file_id"] = body.photo_file_id
    return GenerationRequest(
        caller,
        body.operation,
        body.script or body.prompt or "",
        params,
        body.quality,
        route,
        named=body.model is not None,
        **extra,
    )


def _check_speech(registry: Registry, route: Route, body: VideoIn) -> None:
    """Raise Invalid, which lists the offered ones, for a language or voice that no provider of the route has."""
    adapters = [registry.get(choice.offer.provider) for choice in route.choices]
    speech = [offered for each in adapters if isinstance(each, Speaking) and (offered := each.speech()) is not None]
    if len(speech) < len(adapters):
        return  # one of them does not list its languages
    if not any(each.speaks(body.language) for each in speech):
        raise unknown_option("language", sorted({name for each in speech for name in each.languages}))
    if body.voice is not None and not any(each.has_voice(body.voice) for each in speech):
        raise unknown_option("voice", sorted({name for each in speech for name in each.voices}))


async def _image(tx: Tx, user_id: str, file_id: str) -> files.File:
    found = await files.find(tx, user_id, file_id)
    if not found.mime_type.startswith("image/"):
        raise NotAnImage
    return found


def build_retry_request(
    resources: Resources, caller: Principal, old: Generation, size: Size, **extra: Any
) -> GenerationRequest:
    """The same request again at today's price; by the same model if it is still offered."""
    operation: Operation = old.operation  # type: ignore[assignment]
    quality: Tier = old.quality  # type: ignore[assignment]
    route = choose_route(resources, caller, operation, quality, None, size)
    count = int(old.params.get("count", 1))
    return GenerationRequest(
        caller, operation, old.prompt, old.params, quality, route, count=count, retry_of=old.id, **extra
    )


async def quote_size(tx: Tx, user_id: str, body: QuoteIn) -> tuple[Operation, Size]:
    """The operation and size that a quote is for. Raises FileNotFound for another's file."""
    kind: Literal["text", "chat", "image", "video"] = body.kind
    if kind == "image":
        operation: Operation = f"image.{body.operation}"  # type: ignore[assignment]
        if operation == "image.generate":
            return operation, image_size(*body.pixels, body.count)
        if body.file_id is None:
            return operation, edit_size(operation, *body.pixels)
        source = await _image(tx, user_id, body.file_id)
        return operation, edit_size(operation, source.width or 0, source.height or 0)
    if kind == "video":
        return "video.talking_photo" if body.script else "video.text", video_size(body.script, body.duration_s)
    if kind == "chat":
        return kind, text_size(body.prompt, CHAT_SYSTEM, CHAT_MAX_TOKENS)
    return kind, text_size(body.prompt, body.system, body.max_tokens)
