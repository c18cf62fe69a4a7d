"""Build the request for a provider from the row of a generation."""

from pathlib import Path
from typing import Any

from hortus import files
from hortus.core.db import Database
from hortus.core.resources import Resources
from hortus.generation.sizes import TEXT_VIDEO_SECONDS
from hortus.generation.tables import Generation
from hortus.providers import (
    ChatMessage,
    ImageRequest,
    Media,
    Request,
    TextRequest,
    VideoRequest,
)
from hortus.routing import Choice
from hortus.storage import BlobNotFound, Storage


class SourceMissing(Exception):
    """The source image of the request was deleted in the meantime."""


async def read_sources(resources: Resources, generation: Generation) -> tuple[Media, ...]:
    """The source image of an edit or a video, or the attachments of a message."""
    file_ids = [each for each in (generation.params.get("file_id"), *generation.params.get("attachments", ())) if each]
    found: list[tuple[str, str]] = []
    try:
        if file_ids:
            async with resources[Database].snapshot() as tx:
                for file_id in file_ids:
                    row = await files.find(tx, generation.user_id, file_id)
                    found.append((row.storage_key, row.mime_type))
        return tuple([Media(await resources[Storage].read(key), mime_type) for key, mime_type in found])
    except (files.FileNotFound, BlobNotFound) as error:
        raise SourceMissing from error


def provider_request(
    generation: Generation, choice: Choice, timeout: float, sources: tuple[Media, ...], workdir: Path
) -> Request:
    """The request for one offer, built from the stored parameters."""
    params: dict[str, Any] = generation.params
    shared: dict[str, Any] = {
        "id": generation.id,
        "model": choice.offer.model,
        "timeout": timeout,
        "workdir": workdir,
        "operation": generation.operation,
    }
    if generation.kind in ("text", "chat"):
        history = params.get("messages") or [{"role": "user", "content": generation.prompt}]
        messages = tuple(ChatMessage(each["role"], each["content"]) for each in history)
        if sources:
            last = messages[-1]
            messages = (*messages[:-1], ChatMessage(last.role, last.content, sources))
        return TextRequest(
            **shared, messages=messages, system=params.get("system"), max_tokens=params.get("max_tokens", 1024)
        )
    if generation.kind == "image":
        return ImageRequest(
            **shared,
            prompt=generation.prompt,
            width=params.get("width", 1024),
            height=params.get("height", 1024),
            count=params.get("count", 1),
            style=params.get("style"),
            color=params.get("color"),
            source=sources[0] if sources else None,
        )
    return VideoRequest(
        **shared,
        prompt=params.get("prompt"),
        photo=sources[0] if sources else None,
        script=params.get("script"),
        voice=params.get("voice"),
        language=params.get("language", "en"),
        aspect_ratio=params.get("aspect_ratio", "16:9"),
        duration_s=params.get("duration_s") or TEXT_VIDEO_SECONDS,
    )
