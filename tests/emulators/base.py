"""What all emulators share: a server on loopback, failures on demand, and an exact memory of what was asked.

In process: `async with OpenAIEmulator() as emulator: emulator.fail("hang", times=1)`.
As a process: `python -m tests.emulators.openai --port N`, then `POST /_control` with
`{"mode": "hang", "times": 1, "delay": 0.2}` and `GET /_stats`.
"""

import argparse
import asyncio
import io
import json
import signal
import tempfile
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Self

from aiohttp import web
from PIL import Image

FAILURES = {
    "bad_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "unknown_model": 404,
    "timeout": 408,
    "too_long": 400,
    "policy": 400,
    "rate_limited": 429,
    "error": 500,
    "overloaded": 503,
}
"""Failures that are an answer with a status; the body is each vendor's own."""

OTHER_FAILURES = (
    "hang",  # nothing is ever answered
    "stall",  # a stream begins and falls silent
    "half_headers",  # the connection ends within the head
    "garbage",  # 200, and no sense
    "cut",  # the connection ends within the body
    "ends_early",  # the body ends properly, but too soon
    "error_event",  # a stream that began well says that it failed
    "wrong_usage",  # numbers no vendor should send
    "refusal",  # 200, and a refusal by policy
    "empty",  # 200, and nothing in it
    "text_for_image",  # words where an image should be
    "job_failed",
    "job_refused",
)
SHORT_NAMES = {
    "400": "bad_request",
    "401": "unauthorized",
    "403": "forbidden",
    "404": "unknown_model",
    "429": "rate_limited",
    "500": "error",
    "503": "overloaded",
    "bad_usage": "wrong_usage",
    "not_an_image": "text_for_image",
}
NOW = b"@now@"
"""Stands in a reply for the nanoseconds of the system's monotonic clock at which it is sent."""
MODE = web.RequestKey("mode", str)
"""How the call at hand fails; empty when it does not."""
STREAM = web.RequestKey("stream", bool)
WRONG_USAGE = (-5, "many", 10**30)


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    """Empty where `form` is not."""
    form: dict[str, Any] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@dataclass(slots=True)
class Job:
    """One piece of work a vendor would have charged for."""

    id: str
    key: str
    started: float
    model: str
    ends: str = "completed"
    cancelled: bool = False
    deleted: bool = False


@dataclass(slots=True)
class _Fault:
    mode: str
    left: int | None
    path: str


@dataclass(kw_only=True)
class Emulator:
    """A vendor. Everything that can be set may be set while it runs, too."""

    delay: float = 0.0
    """Seconds before any answer."""
    first_token_delay: float = 0.0
    token_delay: float = 0.0
    """Seconds between two pieces of a stream."""
    job_seconds: float = 0.3
    """How long a job takes from its start to its end."""
    retry_after: str | None = "1"
    reply: Sequence[str] = ("Warm ", "morning ", "light ", "falls ", "through ", "the ", "leaves.")
    """What every text answer says, piece by piece."""
    port: int = 0

    calls: list[Call] = field(default_factory=list)
    remember: int = 1000
    """How many calls to keep; the counts go on."""
    jobs: list[Job] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    disconnects: int = 0
    """Calls whose client went away before the answer was complete."""
    active: int = 0
    """Calls being answered at this moment."""
    url: str = ""

    CONTROLS: ClassVar = ("delay", "first_token_delay", "token_delay", "job_seconds", "retry_after", "reply")

    def __post_init__(self) -> None:
        self._faults: deque[_Fault] = deque()
        self._crashes: list[Exception] = []
        self._runner: web.AppRunner | None = None

    # What each vendor fills in

    def routes(self) -> list[web.RouteDef]:
        """The paths it answers."""
        raise NotImplementedError

    def error(self, mode: str, status: int) -> tuple[dict[str, str], Any]:
        """The headers and JSON with which this vendor says that something went wrong."""
        raise NotImplementedError

    # Running

    async def __aenter__(self) -> Self:
        application = web.Application(middlewares=[self._around], client_max_size=64 * 1024 * 1024)
        application.add_routes([web.get("/_stats", self._stats), web.post("/_control", self._control), *self.routes()])
        self._runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, backlog=1024)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._crashes:  # an emulator's own mistake must not pass for a failing vendor
            raise self._crashes[0]

    # Failing

    def fail(self, mode: str, times: int | None = None, path: str = "") -> None:
        """Fail the next `times` calls (all, if None) whose path contains `path`, in this way."""
        mode = SHORT_NAMES.get(mode, mode)
        if mode not in FAILURES and mode not in OTHER_FAILURES:
            raise ValueError(f"no such failure: {mode}")
        self._faults.append(_Fault(mode, times, path))

    def heal(self) -> None:
        """Fail no more."""
        self._faults.clear()

    def _take_fault(self, path: str) -> str:
        for fault in self._faults:
            if fault.path in path:
                if fault.left is not None:
                    fault.left -= 1
                    if fault.left == 0:
                        self._faults.remove(fault)
                return fault.mode
        return ""

    @web.middleware
    async def _around(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.path.startswith("/_"):
            return await handler(request)
        self.active += 1
        try:
            form = dict(await request.post()) if request.content_type == "multipart/form-data" else {}
            body = b"" if form else await request.read()
            self.counts[f"{request.method} {request.path}"] += 1
            self.counts["calls"] += 1
            self.calls.append(Call(request.method, request.path, dict(request.headers), body, form))
            del self.calls[: -self.remember]
            mode = self._take_fault(request.path)
            request[MODE] = mode
            request[STREAM] = request.query.get("alt") == "sse" or b'"stream":true' in body.replace(b" ", b"")
            if self.delay:
                await asyncio.sleep(self.delay)
            return await self._fail_early(request, mode) or await handler(request)
        except (asyncio.CancelledError, ConnectionError):
            self.disconnects += 1
            raise
        except Exception as error:
            self._crashes.append(error)
            raise
        finally:
            self.active -= 1

    async def _fail_early(self, request: web.Request, mode: str) -> web.StreamResponse | None:
        if mode in FAILURES:
            headers, body = self.error(mode, FAILURES[mode])
            return web.json_response(body, status=FAILURES[mode], headers=headers)
        if mode == "hang":
            await asyncio.sleep(3600)
        if mode == "half_headers":
            return drop(request, b"HTTP/1.1 200 OK\r\nContent-Type: appl")
        if mode == "garbage":
            return web.Response(body=b"\x00\xff<html>{{{data: nonsense", content_type="application/json")
        if mode == "cut" and not request[STREAM]:
            return drop(request, b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{")
        return None

    # Answering

    async def send_events(
        self, request: web.Request, pieces: Sequence[bytes], tail: Sequence[bytes], error: bytes
    ) -> web.StreamResponse:
        """A stream of prepared events; `tail` is what makes it complete, `error` the event that says it failed."""
        mode = request[MODE]
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        if self.first_token_delay:
            await asyncio.sleep(self.first_token_delay)
        broken = mode in {"cut", "stall", "ends_early", "error_event"}
        for piece in pieces[:3] if broken else pieces:
            await response.write(piece.replace(NOW, str(time.monotonic_ns()).encode()) if NOW in piece else piece)
            if self.token_delay:
                await asyncio.sleep(self.token_delay)
        if mode == "cut":
            request.transport.close()
        elif mode == "stall":
            await asyncio.sleep(3600)
        elif mode == "error_event":
            await response.write(error)
        elif mode != "ends_early":
            for piece in tail:
                await response.write(piece)
        if mode != "cut":
            await response.write_eof()
        return response

    def start_job(self, key: str, model: str, mode: str) -> Job:
        """Note that paid work has begun."""
        ends = {"job_failed": "failed", "job_refused": "refused"}.get(mode, "completed")
        job = Job(f"job-{len(self.jobs) + 1}", key, asyncio.get_running_loop().time(), model, ends)
        self.jobs.append(job)
        return job

    def bought(self) -> Counter[str]:
        """How many jobs were started for each key; more than one is money lost."""
        return Counter(job.key for job in self.jobs)

    # Over HTTP

    async def _stats(self, _: web.Request) -> web.Response:
        stats = {
            "calls": self.counts["calls"],
            "paths": self.counts,
            "jobs": len(self.jobs),
            "jobs_by_key": self.bought(),
            "disconnects": self.disconnects,
            "active": self.active,
        }
        return web.json_response(stats)

    async def _control(self, request: web.Request) -> web.Response:
        order = await request.json()
        if order.get("heal"):
            self.heal()
        for name in self.CONTROLS:
            if name in order:
                setattr(self, name, order[name])
        if "mode" in order:
            self.fail(str(order["mode"]), order.get("times"), order.get("path", ""))
        return web.json_response({})


def drop(request: web.Request, first: bytes) -> web.StreamResponse:
    """Write these bytes and close the connection."""
    request.transport.write(first)
    request.transport.close()
    return web.Response()


@cache
def png(width: int, height: int) -> bytes:
    """A real PNG of that size."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(file, "PNG", compress_level=1)
    return file.getvalue()


@cache
def mp4() -> bytes:
    """A real MP4: 12 images of 160 x 90, half a second."""
    import av

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        with av.open(path, "w", options={"movflags": "faststart"}) as container:
            track = container.add_stream("libx264", rate=24)
            track.width, track.height, track.pix_fmt = 160, 90, "yuv420p"
            for step in range(12):
                frame = av.VideoFrame.from_image(Image.new("RGB", (160, 90), (20 * step, 120, 90)))
                container.mux(track.encode(frame))
            container.mux(track.encode())
        return path.read_bytes()


def main(kind: type[Emulator]) -> None:
    """Run one as a process, until it is told to end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--first-token-delay", type=float, default=0.0)
    parser.add_argument("--token-delay", type=float, default=0.0)
    parser.add_argument("--job-seconds", type=float, default=2.0)
    parser.add_argument("--tokens", type=int, default=0, help="pieces per answer")
    given = vars(parser.parse_args())
    tokens = given.pop("tokens")
    if tokens:
        given["reply"] = [f"{NOW.decode()} ", *["word "] * (tokens - 1)]

    async def serve() -> None:
        ended = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, ended.set)
        async with kind(**given, remember=200) as emulator:
            print(emulator.url, flush=True)  # noqa: T201 - the parent process reads the address here
            await ended.wait()

    asyncio.run(serve())
