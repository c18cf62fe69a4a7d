"""Malformed requests are refused before the app sees them; every response has the security headers."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.helpers.server import Hortus, serve

from hortus.core.settings import Settings


@pytest.fixture
async def hortus(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Hortus]:
    shutil.copy(sqlite_template, tmp_path / "hortus.db")
    async with serve(
        f"sqlite+aiosqlite:///{tmp_path / 'hortus.db'}",
        tmp_path,
        public_url="https://hortus.example.com",
        allowed_hosts="api.example.com",
        frontend_base_url="https://studio.example.com",
    ) as running:
        yield running


async def response_to(hortus: Hortus, *lines: str, body: bytes = b"") -> tuple[int, str]:
    """The status and text of the answer to a request written by hand."""
    host, port = hortus.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + body)
    try:
        async with asyncio.timeout(10):
            answer = (await reader.read()).decode("latin-1")
    finally:
        writer.close()
    return int(answer.split(" ")[1]), answer


GET = "GET /health/live HTTP/1.1"
ME = "GET /api/user/me HTTP/1.1"
HOST = "Host: api.example.com"


@pytest.mark.parametrize(
    "host",
    [
        "api.example.com",
        "API.example.com:8443",
        "hortus.example.com",
        "localhost:1",
        "127.0.0.1:8000",
        "[::1]:8000",
        "[::1]",
    ],
)
async def test_allowed_hosts_are_served(hortus: Hortus, host: str):
    assert (await response_to(hortus, ME, f"Host: {host}"))[0] == 401


@pytest.mark.parametrize(
    "lines",
    [
        ["Host: evil.example"],
        ["Host: api.example.com.evil.example"],
        ["Host: evil.example:443"],
        ["Host: [::2]"],
        ["Host: api.example.com@evil.example"],
        ["Host: api.example.com/x"],
        ["Host: api.example.com, evil.example"],
        ["Host: "],
        [HOST, "Host: evil.example"],
        [HOST, HOST],
        [HOST, "Authorization: Bearer a", "Authorization: Bearer b"],
        [HOST, "Idempotency-Key: a", "Idempotency-Key: b"],
    ],
)
async def test_others_and_doubled_ones_are_refused(hortus: Hortus, lines: list[str]):
    status, text = await response_to(hortus, ME, *lines)
    assert status in (400, 422)
    assert "evil" not in text


async def test_a_request_without_a_host_is_refused(hortus: Hortus):
    assert (await response_to(hortus, ME))[0] in (400, 422)


async def test_a_load_balancer_that_speaks_http_1_0_names_no_host(hortus: Hortus):
    for path in ("/health", "/health/live", "/health/ready"):
        assert (await response_to(hortus, f"GET {path} HTTP/1.0"))[0] == 200, path
    assert (await response_to(hortus, "GET /api/user/me HTTP/1.0"))[0] == 422
    assert (await response_to(hortus, GET))[0] in (400, 422)  # HTTP/1.1 demands it


async def test_a_probe_may_come_by_address(hortus: Hortus):
    assert (await response_to(hortus, GET, "Host: 10.1.2.3:8000"))[0] == 200
    assert (await response_to(hortus, GET, "Host: a b"))[0] in (400, 422)


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT"])
async def test_no_request_is_echoed(hortus: Hortus, method: str):
    status, text = await response_to(hortus, f"{method} /api/user/me HTTP/1.1", HOST, "X-Secret: 4711")
    assert status in (400, 405)
    assert "4711" not in text


@pytest.mark.parametrize(
    ("lines", "statuses"),
    [
        ([ME, HOST, *(f"X-{number}: y" for number in range(200))], (413, 400, 431)),
        ([ME, HOST, "X-Big: " + "y" * 40_000], (413, 400, 431)),
        ([f"GET /api/user/me?q={'y' * 9_000} HTTP/1.1", HOST], (413, 414, 400)),
        ([f"GET /{'y' * 9_000} HTTP/1.1", HOST], (413, 414, 400)),
        (["POST /api/auth/login HTTP/1.1", HOST, "Content-Length: 99999999999"], (413,)),
        (["POST /api/auth/login HTTP/1.1", HOST, "Content-Length: -1"], (400, 413)),
        (["POST /api/auth/login HTTP/1.1", HOST, "Content-Length: 3", "Content-Length: 5"], (400, 422)),
        (["POST /api/auth/login HTTP/1.1", HOST, "Content-Length: 3", "Transfer-Encoding: chunked"], (400, 422)),
    ],
)
async def test_sizes_are_bounded_and_ends_are_one(hortus: Hortus, lines: list[str], statuses: tuple[int, ...]):
    assert (await response_to(hortus, *lines))[0] in statuses


async def test_every_response_has_the_security_headers(hortus: Hortus):
    client = hortus.anonymous()
    for path in ("/api/user/me", "/api/nowhere", "/user/me/", "/health/live", "/nowhere"):
        headers = (await client.get(path)).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; frame-ancestors 'none'"), path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["strict-transport-security"].startswith("max-age=31536000")
        assert headers["x-request-id"]
        assert "server" not in headers or "uvicorn" in headers["server"]
    assert (await client.get("/user/me/")).headers["cache-control"] == "no-store"
    refused = (await client.get("/api/user/me", headers={"Host": "evil.example"})).headers
    assert refused["content-security-policy"].startswith("default-src 'none'")


async def test_only_the_websites_of_the_operator_may_read(hortus: Hortus):
    client = hortus.anonymous()
    for origin in ("https://studio.example.com", "https://hortus.example.com"):
        headers = (await client.get("/health/live", headers={"Origin": origin})).headers
        assert headers["access-control-allow-origin"] == origin
    for origin in ("https://evil.example", "null", "http://studio.example.com", "https://studio.example.com:1"):
        headers = (await client.get("/health/live", headers={"Origin": origin})).headers
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    "sent",
    [
        "cache-control",  # EventSource polyfills
        "accept, authorization, cache-control, last-event-id",
        "cache-control, pragma",  # a reload by fetch
        "authorization, content-type, idempotency-key, hortus-session",
        "if-none-match, if-range, range",
        "traceparent, tracestate",
        "x-requested-with",
    ],
)
async def test_what_common_clients_send_passes_the_preflight(hortus: Hortus, sent: str):
    origin = "https://studio.example.com"
    ask = {"Origin": origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": sent}
    answer = await hortus.anonymous().options("/api/generations/x/events", headers=ask)
    assert answer.status_code == 200, answer.text
    allowed = {each.strip().lower() for each in answer.headers["access-control-allow-headers"].split(",")}
    assert {each.strip() for each in sent.split(",")} <= allowed
    refused = await hortus.anonymous().options("/api/models", headers={**ask, "Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/keys", "GET, POST"),
        ("PUT", "/api/user/sessions", "DELETE, GET"),
        ("POST", "/user/profile/", "GET, PUT"),
        ("DELETE", "/api/auth/login", "POST"),
        ("PUT", f"/api/chatroom/{'0' * 36}", "DELETE, GET, PATCH"),
    ],
)
async def test_a_wrong_method_gets_all_allowed_ones(hortus: Hortus, method: str, path: str, allowed: str):
    answer = await hortus.anonymous().request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == allowed


async def test_a_browser_finds_an_icon(hortus: Hortus):
    answer = await hortus.anonymous().get("/favicon.ico")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.content.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("settings", "hosts"),
    [
        ({}, ()),
        ({"allowed_hosts": "*", "public_url": "https://a.example"}, ()),
        ({"public_url": "https://A.example:8443/x"}, ("127.0.0.1", "[::1]", "a.example", "localhost")),
        ({"allowed_hosts": "b.example:80, [fd00::1]"}, ("127.0.0.1", "[::1]", "[fd00::1]", "b.example", "localhost")),
    ],
)
def test_the_served_hosts(settings: dict[str, str], hosts: tuple[str, ...]):
    assert Settings(**settings).hosts == hosts
