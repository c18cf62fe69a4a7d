"""The outermost ASGI middleware: request ids, canonical paths, limits of requests, security headers.

`/auth/login/` and `/api/auth/login` are one path, malformed requests are refused, and an unexpected
exception is logged and becomes a 500 without details.
"""

import re
import time
from typing import Any

import structlog
from prometheus_client import Counter, Histogram
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hortus.core import context, ids
from hortus.core.errors import Invalid, MethodNotAllowed, PayloadTooLarge, Problem
from hortus.core.telemetry import metrics, tracing
from hortus.core.web import sse
from hortus.core.web.problems import problem_response

log = structlog.get_logger()
PROBES = ("/health", "/metrics")
"""Paths that monitoring requests every few seconds; logged at debug unless they fail."""

ALIASES = ("/auth/", "/user/", "/chatroom", "/subscription/", "/subscribe/pro", "/webhook/stripe")
"""Paths that are also served without the prefix `/api`."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_HOST = re.compile(r"(?P<name>[A-Za-z0-9.\-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?")
MAX_HEADERS = 100
MAX_HEADER_BYTES = 32 * 1024
MAX_TARGET_BYTES = 8 * 1024
"""Path and query together."""
MAX_PARAMETERS = 100
"""Parameters of a query; parsing each costs some microseconds."""
MAX_COOKIE_BYTES = 8 * 1024
"""All cookies together, as other servers allow; those of Hortus take 2 KiB."""
_ONCE = (b"host", b"content-length", b"content-type", b"authorization", b"idempotency-key")

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-site",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}
_OF_ALL = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
_OF_THE_API = [*_OF_ALL, (b"cache-control", b"no-store")]
_HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


_counted: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
"""The counters of each method, route and status, so that labels are resolved once."""


class Edge:
    """The outermost middleware. Empty `allowed_hosts` allow any well-formed host; health checks may use any."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        allowed_hosts: tuple[str, ...] = (),
        https: bool = False,
        max_body: int = 1024 * 1024,
        max_upload: int = 32 * 1024 * 1024,
        streams: sse.Streams | None = None,
    ) -> None:
        self.app = app
        self._streams = streams or sse.Streams()
        self._max_body, self._max_upload = max_body, max_upload
        self._allowed_hosts = frozenset(host.lower() for host in allowed_hosts)
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI interface."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = scope["headers"]
        request_id = _request_id(headers)
        mark = context.request_id.set(request_id)
        started = time.perf_counter()
        status, headed = 0, started
        metrics.IN_PROGRESS.inc()

        async def send_out(message: Message) -> None:
            nonlocal status, headed
            if message["type"] == "http.response.start":
                status, headed = message["status"], time.perf_counter()
                self._add_headers(message, scope, request_id)
            await send(message)

        try:
            refusal = self._refuse(scope)
            if refusal is not None:
                await problem_response(refusal)(scope, receive, send_out)
                return
            scope["path"] = _canonical(scope["path"])
            answer = self._traced if tracing.tracer is not None else self._answer
            await answer(scope, self._bounded(scope, receive), send_out)
        except Exception:
            log.exception("request_failed", method=scope["method"], path=scope["path"])
            if status == 0:
                await problem_response(Problem())(scope, receive, send_out)
        finally:
            ended = time.perf_counter()
            took = round((ended - started) * 1000, 1)
            metrics.IN_PROGRESS.dec()
            if status:  # 0: the client disconnected before the response
                _count(scope["method"], _template(scope), status, headed - started)
            write = log.debug if scope["path"].startswith(PROBES) and status < 500 else log.info
            write("request", method=scope["method"], path=scope["path"], status=status, ms=took)
            context.request_id.reset(mark)

    async def _traced(self, scope: Scope, receive: Receive, send: Send) -> None:
        caused = {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"}
        with tracing.span("request", "server", {"http.request.method": scope["method"]}, caused) as span:

            async def send_on(message: Message) -> None:
                if message["type"] == "http.response.start" and span is not None:
                    route = _template(scope)
                    span.update_name(f"{scope['method']} {route}")
                    span.set_attribute("http.route", route)
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            await self._answer(scope, receive, send_on)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)
        if sse.FRAMES in scope:
            await sse.send_frames(scope, receive, send, self._streams)

    def _refuse(self, scope: Scope) -> Problem | None:
        if scope["method"] in ("TRACE", "TRACK", "CONNECT"):
            return MethodNotAllowed(headers={"Allow": "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS"})
        headers = scope["headers"]
        if (oversized := _oversized(scope)) is not None:
            return oversized
        names = [name for name, _ in headers]
        twice = next((name.decode() for name in _ONCE if names.count(name) > 1), None)
        if twice is not None:
            return Invalid(f"Send exactly one well-formed `{twice.title()}` header.")
        if b"content-length" in names and b"transfer-encoding" in names:  # request smuggling
            return Invalid("Send either `Content-Length` or `Transfer-Encoding`.")
        length = next((value for name, value in headers if name == b"content-length"), b"0")
        most = self._most(scope)
        if not length.isdigit() or int(length[:18]) > most:
            return PayloadTooLarge(max_bytes=most)
        host = next((value for name, value in headers if name == b"host"), None)
        probed = scope["path"].startswith(PROBES)
        if host is None and probed and scope["http_version"] == "1.0":  # some load balancers
            return None
        host = host or b""
        found = _HOST.fullmatch(host.decode("latin-1"))
        if found is None:
            return Invalid("Send exactly one well-formed `Host` header.")
        known = not self._allowed_hosts or found["name"].lower() in self._allowed_hosts
        if not known and not probed:  # probes use the address
            return Invalid("This host name is not served here.")
        return None

    def _most(self, scope: Scope) -> int:
        return self._max_upload if scope["path"].startswith("/api/upload/") else self._max_body

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        """Count the bytes of a chunked body, which has no declared length."""
        if not any(name == b"transfer-encoding" for name, _ in scope["headers"]):
            return receive  # the server enforces Content-Length
        most, seen = self._most(scope), 0

        async def receive_bounded() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > most:
                raise PayloadTooLarge(max_bytes=most)
            return message

        return receive_bounded

    def _add_headers(self, message: Message, scope: Scope, request_id: str) -> None:
        present = {name for name, _ in message["headers"]}
        wanted = _OF_THE_API if scope["path"].startswith("/api/") else _OF_ALL
        added = [pair for pair in wanted if pair[0] not in present]
        message["headers"] = [*message["headers"], *added, (b"x-request-id", request_id.encode())]
        if self._https:
            message["headers"].append(_HSTS)
        state: dict[str, Any] | None = scope.get("state")
        if not state:
            return
        headers = MutableHeaders(raw=message["headers"])
        for name, value in state.get("response_headers", {}).items():
            headers[name] = value
        for cookie in state.get("response_cookies", ()):
            headers.append("Set-Cookie", cookie)


def _request_id(headers: list[tuple[bytes, bytes]]) -> str:
    for name, value in headers:
        if name == b"x-request-id":
            text = value.decode("latin-1")
            if _REQUEST_ID.fullmatch(text):
                return text
    return ids.new()


def _oversized(scope: Scope) -> Problem | None:
    headers, query = scope["headers"], scope["query_string"]
    if len(headers) > MAX_HEADERS or sum(len(name) + len(value) for name, value in headers) > MAX_HEADER_BYTES:
        return PayloadTooLarge("The request has too many or too large headers.")
    if len(scope.get("raw_path") or b"") + len(query) > MAX_TARGET_BYTES:
        return PayloadTooLarge("The address is too long.", max_bytes=MAX_TARGET_BYTES)
    if query.count(b"&") >= MAX_PARAMETERS:
        return Invalid(f"A query has at most {MAX_PARAMETERS} parameters.")
    if sum(len(value) for name, value in headers if name == b"cookie") > MAX_COOKIE_BYTES:
        return PayloadTooLarge("The request has too many or too large cookies.", max_bytes=MAX_COOKIE_BYTES)
    return None


def _count(method: str, route: str, status: int, seconds: float) -> None:
    """Count one request; `route` is the template of its path, never the path."""
    key = (method if method in metrics.METHODS else "other", route, status)
    found = _counted.get(key)
    if found is None:
        labelled = metrics.REQUESTS.labels(key[0], route, str(status)), metrics.REQUEST_SECONDS.labels(key[0], route)
        found = _counted[key] = labelled
    count, duration = found
    count.inc()
    duration.observe(seconds)


def _template(scope: Scope) -> str:
    """The path template of the route, so that the number of values is bounded."""
    path: str = getattr(scope.get("route"), "path", metrics.UNMATCHED)
    return path


def _canonical(path: str) -> str:
    if len(path) > 1 and path.endswith("/"):
        path = path.rstrip("/") or "/"
    if f"{path}/".startswith(ALIASES) and (not path.startswith("/chatroom") or path[9:10] in ("", "/")):
        return f"/api{path}"
    return path
