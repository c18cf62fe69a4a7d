"""Server-sent events as a plain ASGI loop, and the registry of open streams."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Collection, Hashable
from functools import partial
from typing import Any

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hortus.core.background import cancel_and_wait
from hortus.core.errors import PayloadTooLarge, Problem

log = structlog.get_logger()
KEEP_ALIVE = b": keep-alive\n\n"
FINAL_ID = 2**53 - 1
"""The id of the last event of a stream: above every other id, and an exact number in JavaScript.

A client that reconnects with it as `Last-Event-ID` gets 204, upon which EventSource stops to reconnect.
"""
FRAMES = "hortus.frames"
"""The key of the ASGI scope under which an EventStream leaves its frames and their reader."""
_LAST = {"type": "http.response.body", "body": b"", "more_body": False}


def frame(name: str, data: dict[str, Any], id: int | None = None) -> bytes:
    """One event as bytes."""
    head = f"id: {id}\n" if id is not None else ""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"{head}event: {name}\ndata: {body}\n\n".encode()


class Streams:
    """The open event streams of one server, with the reader of each.

    They end when their reader loses access (`end_of`). At shutdown those of GET requests end (`end`): the client
    reconnects to another server with its `Last-Event-ID`. The response to a POST cannot be resumed, so the server
    waits for it.
    """

    def __init__(self) -> None:
        self._open: dict[asyncio.Timeout, tuple[Hashable, bool]] = {}
        self.over = False

    def end(self) -> None:
        """End every resumable stream at once, and those that start from now on."""
        self.over = True
        for timeout, (_, resumable) in self._open.items():
            if resumable:
                _end(timeout)

    def readers(self) -> set[Hashable]:
        """The readers of the open streams."""
        return {reader for reader, _ in self._open.values()}

    def end_of(self, readers: Collection[Hashable]) -> int:
        """End every stream of these readers at once; returns their number."""
        found = [timeout for timeout, (reader, _) in self._open.items() if reader in readers]
        for timeout in found:
            _end(timeout)
        return len(found)

    def add(self, timeout: asyncio.Timeout, reader: Hashable, *, resumable: bool) -> None:
        """Register a stream that ends when its timeout expires."""
        self._open[timeout] = (reader, resumable)
        if self.over and resumable:
            _end(timeout)

    def remove(self, timeout: asyncio.Timeout) -> None:
        """Remove a stream that has ended."""
        self._open.pop(timeout, None)


class EventStream(Response):
    """Sends the frames of a generator to `reader`; closes it when the client disconnects or `reader` loses access
    (`Streams.end_of`), so that the stream cannot outlive the session that opened it.

    The app sends only the head and returns: the exit stacks, middleware and frames of FastAPI around a handler would
    take more memory than the stream for as long as it is open. The outer middleware sends the frames (`send_frames`).
    """

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes, None], reader: Hashable, status_code: int = 200) -> None:
        super().__init__(status_code=status_code, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._frames, self._reader = frames, reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI interface."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        scope[FRAMES] = self._frames, self._reader


async def send_frames(scope: Scope, receive: Receive, send: Send, streams: Streams) -> None:
    """Send the frames of an EventStream whose head was sent: that of a scope with `FRAMES`."""
    frames, reader = scope.pop(FRAMES)
    for name in [name for name in scope if name.startswith("fastapi")]:
        del scope[name]  # closed exit stacks, which the server would keep in memory with the scope
    leaving = asyncio.ensure_future(_gone(receive))
    timeout = asyncio.timeout(None)
    leaving.add_done_callback(partial(_end, timeout))
    try:
        async with timeout, contextlib.aclosing(frames):
            streams.add(timeout, reader, resumable=scope["method"] == "GET")
            async for one in frames:
                await send({"type": "http.response.body", "body": one, "more_body": True})
        await send(_LAST)
    except TimeoutError:
        if not timeout.expired():
            raise
        if not leaving.done():
            await send(_LAST)
    except Problem as problem:  # the resource was deleted or is unavailable; the head has been sent
        log.info("event_stream_ended", code=problem.code)
        await send(_LAST)
    finally:
        streams.remove(timeout)
        await cancel_and_wait(leaving)


def _end(timeout: asyncio.Timeout, _leaving: asyncio.Task[None] | None = None) -> None:
    with contextlib.suppress(RuntimeError):  # it ended at the same moment
        timeout.reschedule(0)


async def _gone(receive: Receive) -> None:
    with contextlib.suppress(PayloadTooLarge):  # the client still sends, and too much
        while (await receive())["type"] != "http.disconnect":
            pass


def last_event_id(header: str | None) -> int:
    """The id to resume after; 0 if it is absent or not an id."""
    return int(header) if header and header.isascii() and header.isdigit() and len(header) < 20 else 0
