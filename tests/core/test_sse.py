"""Event streams: the app sends the head, the outer middleware the frames."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any

from fastapi import Depends, FastAPI

from hortus.core.errors import NotFound
from hortus.core.web.edge import Edge
from hortus.core.web.sse import EventStream, Streams, frame

SCOPE = {
    "type": "http",
    "method": "GET",
    "path": "/events",
    "raw_path": b"/events",
    "query_string": b"",
    "headers": [(b"host", b"localhost")],
    "asgi": {"version": "3.0"},
}


class Stream:
    """A request for `/events` of an app behind the outer middleware, and what happened, in order."""

    def __init__(self, *, fails: type[Exception] | None = None, method: str = "GET") -> None:
        self.happened: list[str] = []
        self.sent: list[bytes] = []
        self.scope: dict[str, Any] = {**SCOPE, "method": method}
        self.streams = Streams()
        self.more, self.left = asyncio.Event(), asyncio.Event()
        self._fails = fails
        app = FastAPI()

        async def opened() -> AsyncIterator[None]:
            yield
            self.happened.append("the app ended")

        @app.api_route("/events", methods=["GET", "POST"])
        async def events(_: Annotated[None, Depends(opened)]) -> EventStream:
            return EventStream(self._frames(), "reader")

        self._app = Edge(app, streams=self.streams)

    async def _frames(self) -> AsyncGenerator[bytes, None]:
        try:
            yield frame("first", {})
            await self.more.wait()
            if self._fails is not None:
                raise self._fails
            yield frame("second", {})
        finally:
            self.happened.append("the frames ended")

    async def _receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.happened.append("the head was sent")
            return
        self.sent.append(message["body"])
        self.happened.append("more" if message["more_body"] else "the end was sent")

    def open(self) -> asyncio.Task[None]:
        """Send the request."""
        return asyncio.create_task(self._app(self.scope, self._receive, self._send))  # type: ignore[arg-type]

    async def halfway(self) -> asyncio.Task[None]:
        """Send the request; the stream waits for `more` on return."""
        running = self.open()
        await self.until("more")
        return running

    async def until(self, what: str) -> None:
        """Wait for the next happening."""
        async with asyncio.timeout(5):
            while what not in self.happened:
                await asyncio.sleep(0)


async def test_nothing_of_the_app_stays_while_a_stream_is_open():
    stream = Stream()
    running = await stream.halfway()
    assert stream.happened == ["the head was sent", "the app ended", "more"]
    assert not [name for name in stream.scope if name.startswith("fastapi")]
    stream.more.set()
    await running
    assert stream.happened[3:] == ["more", "the frames ended", "the end was sent"]
    assert stream.sent == [frame("first", {}), frame("second", {}), b""]


async def test_a_stream_ends_when_its_client_has_gone():
    stream = Stream()
    running = await stream.halfway()
    stream.left.set()
    await asyncio.wait_for(running, 5)
    assert stream.happened[3:] == ["the frames ended"]


async def test_a_client_that_disconnects_as_the_stream_ends_raises_nothing():
    stream = Stream()
    running = await stream.halfway()
    stream.more.set()
    stream.left.set()
    await asyncio.wait_for(running, 5)
    assert stream.happened.count("the frames ended") == 1


async def test_a_stream_that_fails_is_cut_off():
    for kind in (RuntimeError, TimeoutError):
        stream = Stream(fails=kind)
        running = await stream.halfway()
        stream.more.set()
        await running
        assert stream.happened[3:] == ["the frames ended"]


async def test_a_stream_that_is_cancelled_closes_its_frames():
    stream = Stream()
    running = await stream.halfway()
    running.cancel()
    await asyncio.wait((running,))
    assert running.cancelled()
    assert stream.happened[3:] == ["the frames ended"]


async def test_a_stopping_server_ends_resumable_streams():
    stream = Stream()
    running = await stream.halfway()
    stream.streams.end()
    await asyncio.wait_for(running, 5)
    assert stream.happened[3:] == ["the frames ended", "the end was sent"]


async def test_a_stream_that_starts_while_its_server_stops_ends_at_once():
    stream = Stream()
    stream.streams.end()
    await asyncio.wait_for(stream.open(), 5)
    assert stream.happened[-1] == "the end was sent"


async def test_a_stopping_server_finishes_streams_that_cannot_be_resumed():
    stream = Stream(method="POST")
    running = await stream.halfway()
    stream.streams.end()
    stream.more.set()
    await asyncio.wait_for(running, 5)
    assert stream.sent == [frame("first", {}), frame("second", {}), b""]


async def test_streams_end_when_their_reader_loses_access_whatever_their_method():
    for method in ("GET", "POST"):
        stream = Stream(method=method)
        running = await stream.halfway()
        assert stream.streams.readers() == {"reader"}
        assert stream.streams.end_of({"somebody else"}) == 0
        assert stream.streams.end_of({"reader"}) == 1
        await asyncio.wait_for(running, 5)
        assert stream.happened[3:] == ["the frames ended", "the end was sent"]
        assert stream.streams.readers() == set()


async def test_a_deleted_resource_ends_its_stream_without_an_error(capsys):
    stream = Stream(fails=NotFound)
    running = await stream.halfway()
    stream.more.set()
    await running
    assert stream.happened[3:] == ["the frames ended", "the end was sent"]
    assert "request_failed" not in capsys.readouterr().out
