"""Server-sent events as a plain ASGI loop: a new stream never waits for the old ones."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hortus.core.background import ended
from hortus.core.errors import PayloadTooLarge

KEEP_ALIVE = b": keep-alive\n\n"
_FRAMES = "hortus.frames"
_LAST = {"type": "http.response.body", "body": b"", "more_body": False}


def frame(name: str, data: dict[str, Any], id: int | None = None) -> bytes:
    """One event on the wire."""
    head = f"id: {id}\n" if id is not None else ""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"{head}event: {name}\ndata: {body}\n\n".encode()


class Streams:
    """The open streams of one server, which end when it leaves: their listeners go on at another.

    Only those that were asked for with GET. Whoever listens there comes back and names the last id they saw; the answer
    to a POST is given once, so it is waited for.
    """

    def __init__(self) -> None:
        self._open: set[asyncio.Timeout] = set()
        self.over = False

    def end(self) -> None:
        """Let every stream end within a moment, and those that begin from now on."""
        self.over = True
        for each in self._open:
            _end(each)

    def add(self, present: asyncio.Timeout) -> None:
        """Know of a stream that ends when `present` does."""
        self._open.add(present)
        if self.over:
            _end(present)

    def forget(self, present: asyncio.Timeout) -> None:
        """It has ended."""
        self._open.discard(present)


class EventStream(Response):
    """Sends the frames of a generator; closes it within a moment when the client goes away.

    The app sends only its head, and may end: what stands around a handler (exit stacks, middleware, FastAPI's own)
    costs more than the stream itself for as long as it waits. The frames are sent by the edge, with `send_frames`.
    """

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes, None], status_code: int = 200) -> None:
        super().__init__(status_code=status_code, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._frames = frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        scope[_FRAMES] = self._frames


async def send_frames(scope: Scope, receive: Receive, send: Send, streams: Streams) -> None:
    """Send what is left when a request was answered with an EventStream: everything but its head."""
    frames: AsyncGenerator[bytes, None] | None = scope.pop(_FRAMES, None)
    if frames is None:
        return
    for name in [name for name in scope if name.startswith("fastapi")]:
        del scope[name]  # exit stacks, closed and large, which the server would keep with the scope
    leaving = asyncio.ensure_future(_gone(receive))
    present = asyncio.timeout(None)
    leaving.add_done_callback(partial(_end, present))
    try:
        async with present, contextlib.aclosing(frames):
            if scope["method"] == "GET":
                streams.add(present)
            async for one in frames:
                await send({"type": "http.response.body", "body": one, "more_body": True})
        await send(_LAST)
    except TimeoutError:
        if not present.expired():
            raise
        if streams.over and not leaving.done():
            await send(_LAST)
    finally:
        streams.forget(present)
        await ended(leaving)


def _end(present: asyncio.Timeout, _leaving: asyncio.Task[None] | None = None) -> None:
    with contextlib.suppress(RuntimeError):  # it ended by itself at the same moment
        present.reschedule(0)


async def _gone(receive: Receive) -> None:
    with contextlib.suppress(PayloadTooLarge):  # who still sends to us, and too much, may go as well
        while (await receive())["type"] != "http.disconnect":
            pass


def last_event_id(header: str | None) -> int:
    """The id to resume after; 0 when absent or not a number of ours."""
    return int(header) if header and header.isascii() and header.isdigit() and len(header) < 20 else 0
