"""The HTTP client for all calls to vendors.

Guarantees: no call is made while a transaction is open, redirects are never
followed, a response is never read past its maximum size, the request id is sent along,
and every transport failure is one of two errors. A call on a connection that the vendor
had closed is repeated once on a new connection if that is safe: if its method or
`Idempotency-Key` allows it, or if nothing was sent.
"""

import asyncio
import json as jsonlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from hortus.core import context

if TYPE_CHECKING:
    import aiohttp

MAX_BODY = 64 * 1024 * 1024
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


@cache
def _library() -> Any:
    """aiohttp, imported by the first call, so that servers without calls start faster."""
    import aiohttp  # noqa: PLC0415 - see above

    return aiohttp


def form() -> "aiohttp.FormData":
    """A multipart body: `form.add_field(name, value)`."""
    made: aiohttp.FormData = _library().FormData()
    return made


class CallInsideTransaction(RuntimeError):
    """A vendor was called while a transaction was open: a programming error, never caught."""


class HttpError(Exception):
    """The call did not end in a complete response."""


class HttpTimeout(HttpError):
    """No complete response in time."""


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response of any status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; raises HttpError when it is not."""
        try:
            return jsonlib.loads(self.body)
        except ValueError as error:
            raise HttpError("the response is not JSON") from error


class StreamedResponse:
    """A response whose head has arrived; the body is read as it arrives."""

    def __init__(self, response: "aiohttp.ClientResponse", max_bytes: int) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._max_bytes = max_bytes

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body in chunks; HttpError if it exceeds the maximum or is cut off."""
        seen = 0
        try:
            async for chunk in self._response.content.iter_any():
                seen += len(chunk)
                if seen > self._max_bytes:
                    raise HttpError(f"the response is larger than {self._max_bytes} bytes")
                yield chunk
        except (_library().ClientError, OSError) as error:
            raise HttpError(f"the response was cut off: {type(error).__name__}") from error
        except TimeoutError as error:
            raise HttpTimeout("the response stalled") from error

    async def read(self) -> bytes:
        """The whole body, up to the maximum size."""
        return b"".join([chunk async for chunk in self.chunks()])


class Http:
    """A pooled client bound to the running loop; open it once per process with `async with`."""

    def __init__(self, *, connect_timeout: float = 10.0, connections: int = 1024) -> None:
        self._connect_timeout = connect_timeout
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self._unpooled: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every pooled connection. The client may not be used afterwards."""
        for session in (self._session, self._unpooled):
            if session is not None:
                await session.close()
        self._session = self._unpooled = None

    async def _open(self) -> "aiohttp.ClientSession":
        if self._session is None:
            await asyncio.to_thread(_library)
            self._session = self._session or self._make_session()  # another call may have opened it meanwhile
        return self._session

    def _make_session(self, *, keeps_alive: bool = True) -> "aiohttp.ClientSession":
        library = _library()
        made: aiohttp.ClientSession = library.ClientSession(
            connector=library.TCPConnector(limit=self._connections, ttl_dns_cache=60, force_close=not keeps_alive),
            cookie_jar=library.DummyCookieJar(),
            auto_decompress=True,
            read_bufsize=2**16,
        )
        return made

    async def _send(
        self, method: str, url: str, timeout: float, idle_timeout: float | None, **sent: Any
    ) -> "aiohttp.ClientResponse":
        until = time.monotonic() + timeout

        async def send(session: "aiohttp.ClientSession") -> "aiohttp.ClientResponse":
            left = max(until - time.monotonic(), 0.001)
            limits = _library().ClientTimeout(total=left, sock_connect=self._connect_timeout, sock_read=idle_timeout)
            return await session.request(method, url, timeout=limits, allow_redirects=False, **sent)

        session = await self._open()
        library = _library()
        try:
            return await send(session)
        except (library.ClientOSError, library.ServerDisconnectedError) as error:
            is_new = isinstance(error, library.ClientConnectorError)  # the connection was not established
            if is_new or isinstance(error, TimeoutError) or not _is_repeatable(method, error, sent):
                raise
        if self._unpooled is None:
            self._unpooled = self._make_session(keeps_alive=False)
        return await send(self._unpooled)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        body: "bytes | aiohttp.FormData | None" = None,
        timeout: float = 60.0,
        idle_timeout: float | None = None,
        max_bytes: int = MAX_BODY,
    ) -> AsyncIterator[StreamedResponse]:
        """Send one request and yield the response as soon as its head has arrived.

        `timeout` limits the whole exchange, `idle_timeout` the time between two
        chunks, both in seconds. Raises HttpTimeout, HttpError, CallInsideTransaction.
        """
        if context.transaction_open.get():
            raise CallInsideTransaction(f"{method} {url.split('?', maxsplit=1)[0]}")
        sent = {"X-Request-ID": context.request_id.get(), **(headers or {})}
        data: Any = body
        if json is not None:
            data = jsonlib.dumps(json, separators=(",", ":")).encode()
            sent["Content-Type"] = "application/json"
        try:
            response = await self._send(method, url, timeout, idle_timeout, data=data, headers=sent)
        except TimeoutError as error:
            raise HttpTimeout("no response in time") from error
        except (_library().ClientError, OSError, ValueError) as error:
            raise HttpError(f"no response: {type(error).__name__}") from error
        try:
            yield StreamedResponse(response, max_bytes)
        finally:
            response.close()

    async def request(self, method: str, url: str, **options: Any) -> Response:
        """Send one request and read the whole response; the options are those of `stream`."""
        async with self.stream(method, url, **options) as response:
            return Response(response.status, response.headers, await response.read())


def _is_repeatable(method: str, error: Exception, sent: Mapping[str, Any]) -> bool:
    """Whether the call may be sent again: it is idempotent, or nothing was sent."""
    if not isinstance(sent["data"], bytes | None):  # a form can be read only once
        return False
    if method in IDEMPOTENT or any(name.lower() == "idempotency-key" for name in sent["headers"]):
        return True
    refused = _library().ClientConnectionResetError  # the connection was closed before the first byte was written
    return isinstance(error, refused) or isinstance(error.__cause__, refused)


async def sse_events(
    chunks: AsyncIterator[bytes], *, max_event: int = 8 * 1024 * 1024
) -> AsyncIterator[list[tuple[str, str]]]:
    """The (event, data) pairs of a `text/event-stream` body, one list for each chunk that completes events.

    An incomplete last event is dropped. Raises HttpError if an event exceeds `max_event` bytes.
    """
    buffer = b""
    event, data = "message", list[str]()
    async for chunk in chunks:
        buffer += chunk
        if len(buffer) > max_event:
            raise HttpError("an event of the stream is too large")
        *lines, buffer = buffer.split(b"\n")
        found: list[tuple[str, str]] = []
        for raw in lines:
            line = raw.rstrip(b"\r").decode("utf-8", "replace")
            if not line:
                if data:
                    found.append((event, "\n".join(data)))
                event, data = "message", []
            elif line.startswith("data:"):
                data.append(line[5:].removeprefix(" "))
            elif line.startswith("event:"):
                event = line[6:].strip()
        if found:
            yield found
