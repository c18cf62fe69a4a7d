"""Requests to put to an adapter, and what comes of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from tests.emulators.base import png

from hortus.core import ids
from hortus.core.http import Http
from hortus.providers import (
    ChatMessage,
    Delta,
    Event,
    ImageRequest,
    Media,
    Output,
    TextRequest,
    VideoRequest,
)

PHOTO = Media(png(64, 64), "image/png")


def text(model: str, workdir: Path, **changes: Any) -> TextRequest:
    """A question."""
    given: dict[str, Any] = {
        "operation": "text",
        "messages": (ChatMessage("user", "Write a line about morning light."),),
        "timeout": 5.0,
    }
    return TextRequest(**(given | changes), id=ids.new(), model=model, workdir=workdir)


def image(model: str, workdir: Path, **changes: Any) -> ImageRequest:
    """A request for an image."""
    given: dict[str, Any] = {
        "operation": "image.generate",
        "prompt": "a lotus pond",
        "width": 1024,
        "height": 1024,
        "timeout": 5.0,
    }
    return ImageRequest(**(given | changes), id=ids.new(), model=model, workdir=workdir)


def video(model: str, workdir: Path, **changes: Any) -> VideoRequest:
    """A request for a talking photo."""
    given: dict[str, Any] = {
        "operation": "video.talking_photo",
        "photo": PHOTO,
        "script": "Good morning.",
        "timeout": 5.0,
    }
    return VideoRequest(**(given | changes), id=ids.new(), model=model, workdir=workdir)


async def collect(events: AsyncIterator[Event]) -> list[Event]:
    """Every event there is."""
    async with aclosing(events) as open_events:
        return [event async for event in open_events]


def words(events: list[Event]) -> list[str]:
    """The pieces of text, in the order in which they came."""
    return [event.text for event in events if isinstance(event, Delta)]


def outputs(events: list[Event]) -> list[Output]:
    """The images and videos."""
    return [event for event in events if isinstance(event, Output)]


def open_connections(http: Http) -> int:
    """How many connections a call holds at this moment."""
    session = http._session
    return 0 if session is None else len(session.connector._acquired)


def own_tasks() -> set[asyncio.Task[Any]]:
    """Every running task but those with which an emulator serves."""
    return {task for task in asyncio.all_tasks() if "RequestHandler" not in repr(task.get_coro())}


async def until(true: Any, seconds: float = 1.0) -> None:
    """Wait until `true()` is; fail when it is not within `seconds`."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)
