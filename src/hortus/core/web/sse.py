"""Server-sent events as a plain ASGI loop: a new stream never waits for the old ones."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Collection, Hashable
from functools import partial
from typing import Any

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hortus.core.background import ended
from hortus.core.errors import PayloadTooLarge, Problem

log = structlog.get_logger()
KEEP_ALIVE = b": keep-alive\n\n"
FINAL_ID = 2**53 - 1
"""The id of the event after which a stream says no more; above every other, and exact as a number in JavaScript.

Whoever comes back with it as `Last-Event-ID` has seen the end, and is answered 204: EventSource then stays away.
"""
_FRAMES = "hortus.frames"
_LAST = {"type": "http.response.body", "body": b"", "more_body": False}


def frame(name: str, data: dict[str, Any], id: int | None = None) -> bytes:
    """One event on the wire."""
    head = f"id: {id}\n" if id is not None else ""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"{head}event: {name}\ndata: {body}\n\n".encode()


class Streams:
    """The open event streams of one server, and who reads each.

    They end when their reader loses access (`end_of`), and those that were asked for with GET when the server leaves
    (`end`): a listener comes back elsewhere and names the last id it saw. The answer to a POST is given once, so a
    server that leaves waits for it.
    """

    def __init__(self) -> None:
        self._open: dict[asyncio.Timeout, tuple[Hashable, bool]] = {}
        self.over = False

    def end(self) -> None:
        """Let every stream that can be resumed end within a moment, and those that begin from now on."""
        self.over = True
        for present, (_, resumable) in self._open.items():
            if resumable:
                _end(present)

    def readers(self) -> set[Hashable]:
        """Everyone who reads a stream now."""
        return {reader for reader, _ in self._open.values()}

    def end_of(self, readers: Collection[Hashable]) -> int:
        """Let every stream of these readers end within a moment, whatever it waits for; how many those are."""
        found = [present for present, (reader, _) in self._open.items() if reader in readers]
        for present in found:
            _end(present)
        return len(found)

    def add(self, present: asyncio.Timeout, reader: Hashable, *, resumable: bool) -> None:
        """Know of a stream that ends when `present` does."""
        self._open[present] = (reader, resumable)
        if self.over and resumable:
            _end(present)

    def forget(self, present: asyncio.Timeout) -> None:
        """It has ended."""
        self._open.pop(present, None)


class EventStream(Response):
    """Sends the frames of a generator to `reader`; closes it within a moment when the client goes away, or when
    `reader` may no longer read (`Streams.end_of`). Without that the stream would outlive the session that opened it.

    The app sends only its head, and may end: what stands around a handler (exit stacks, middleware, FastAPI's own)
    costs more than the stream itself for as long as it waits. The frames are sent by the edge, with `send_frames`.
    """

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes, None], reader: Hashable, status_code: int = 200) -> None:
        super().__init__(status_code=status_code, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._frames, self._reader = frames, reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        scope[_FRAMES] = self._frames, self._reader


async def send_frames(scope: Scope, receive: Receive, send: Send, streams: Streams) -> None:
    """Send what is left when a request was answered with an EventStream: everything but its head."""
    answer: tuple[AsyncGenerator[bytes, None], Hashable] | None = scope.pop(_FRAMES, None)
    if answer is None:
        return
    frames, reader = answer
    for name in [name for name in scope if name.startswith("fastapi")]:
        del scope[name]  # exit stacks, closed and large, which the server would keep with the scope
    leaving = asyncio.ensure_future(_gone(receive))
    present = asyncio.timeout(None)
    leaving.add_done_callback(partial(_end, present))
    try:
        async with present, contextlib.aclosing(frames):
            streams.add(present, reader, resumable=scope["method"] == "GET")
            async for one in frames:
                await send({"type": "http.response.body", "body": one, "more_body": True})
        await send(_LAST)
    except TimeoutError:
        if not present.expired():
            raise
        if not leaving.done():
            await send(_LAST)
    except Problem as problem:  # what is followed was deleted, or cannot be read now; the head has been sent
        log.info("event_stream_ended", code=problem.code)
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
