"""CPU cost of anonymous requests: at most 20 ms on the event loop for one request, for any content.

The server runs in its own thread, whose CPU clock is read before and after each request. Waiting, the client, the disk,
the password hashing pool and other processes do not count. Background tasks do not run, as with `hortus worker`.
"""

import asyncio
import base64
import itertools
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx2
import pytest
from tests.helpers.server import serve

from hortus.cli import openapi_docs
from hortus.core.web.strict_route import StrictRoute
from hortus.main import routes

LIMIT = 0.020
"""Seconds of CPU on the event loop's thread."""
TRIES = 6
"""A request that takes longer is tried again: the first of a route also prepares it, and the garbage collector runs."""
SOMEBODY = "01a1fc1e-6a60-73ba-9a5f-ff6b75a73baa"
JSON = {"Content-Type": "application/json"}


class ServerThread:
    """A server in a thread of its own."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self._arguments = database_url, folder
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self.url = ""

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with serve(*self._arguments, work=False) as hortus:
                self.url = hortus.url
                self._started.set()
                await self._stop.wait()
        except BaseException as error:
            self._failure = error
            self._started.set()
            raise

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(60)
        if self._failure is not None:
            raise self._failure
        assert self._thread.ident is not None
        self._clock = time.pthread_getcpuclockid(self._thread.ident)
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)

    def cpu(self) -> float:
        """Seconds that the event loop's thread has used."""
        return time.clock_gettime(self._clock)


def filled(begin: bytes, each: bytes, end: bytes, size: int) -> bytes:
    return begin + each * ((size - len(begin) - len(end)) // len(each)) + end


def hostile_bodies(size: int, fields: list[str]) -> Iterator[tuple[str, bytes]]:
    """JSON and malformed JSON of at most `size` bytes."""
    yield "spaces", b" " * size
    yield "unknown keys", b"{" + b",".join(b'"%x":0' % number for number in range(max(1, size // 9))) + b"}"
    yield "duplicate keys", filled(b"{", b'"a":0,', b'"b":1}', size)
    yield "long key", filled(b'{"', b"k", b'":1}', size)
    yield "deep arrays", b"[" * size
    yield "deep objects", filled(b"", b'{"a":', b"", size)
    yield "objects", filled(b"[", b"{},", b"{}]", size)
    yield "arrays", filled(b"[", b"[],", b"[]]", size)
    yield "integers", filled(b"[", b"1,", b"1]", size)
    yield "floats", filled(b"[", b"1e9,", b"1]", size)
    yield "empty texts", filled(b"[", b'"",', b'""]', size)
    yield "not UTF-8", b'{"a":"' + b"\xff" * (size - 8) + b'"}'
    for name in fields:
        key = json.dumps(name).encode()
        yield f"digits in {name}", filled(b"{" + key + b":", b"9", b"}", size)
        yield f"text in {name}", filled(b"{" + key + b':"', "ß".encode(), b'"}', size)
        yield f"escapes in {name}", filled(b"{" + key + b':"', b"\\u0000", b'"}', size)
        yield f"texts in {name}", filled(b"{" + key + b":[", b'"\\u00e9",', b'""]}', size)
        yield f"objects in {name}", filled(b"{" + key + b":{", b'"":{},', b'"a":{}}}', size)


HARD_PASSWORDS = (
    "P@ssw0rd1!" * 12, "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/" * 3, "a" * 128, "ab" * 64, "20011231" * 16,
    "4@8({[</3#1!|0$5+7%2" * 6, "кошкапароль" * 11, "🪁" * 128, "".join(chr(0x1100 + n) for n in range(128)),
    "correcthorsebatterystaple" * 5, "\u0344" * 128, "ﷺ" * 128, "abcdefghijklmnopqrstuvwxyz0123456789" * 3,
)  # fmt: skip
HARD_EMAILS = (
    "a" * 64 + "@" + ".".join(["b" * 60] * 3) + ".com", "ü" * 60 + "@" + "ü" * 40 + ".example.com",
    "ﷺ" * 60 + "@example.com", "a@" + "ﷺ" * 200, "a@" + "xn--" + "a" * 59 + ".com", "\u0344" * 64 + "@example.com",
    '"' + "\\a" * 120 + '"@example.com', "a." * 100 + "@x", "@" * 254, "a@" + "b." * 120 + "c", "٣" * 254,
    "a@" + "\u0dda" * 250, "a@" + "\u0660" * 60 + "." + "א" * 60,
)  # fmt: skip
HARD_NUMBERS = (
    "9" * 40,
    "+" * 40,
    "٣" * 40,
    "+91" + "-" * 37,
    "(" * 40,
    "+1800" + "FLOWERS" * 5,
    "tel:+1;ext=" + "9" * 29,
)


def hard_values() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Valid bodies for the routes of sign-up and sign-in."""
    for password, email in itertools.zip_longest(HARD_PASSWORDS, HARD_EMAILS, fillvalue="a long enough passphrase 7"):
        yield "POST", "/api/auth/register", {"email": email, "password": password, "accept_terms": True}
        yield "POST", "/api/auth/register", {"email": "a@example.com", "password": password, "accept_terms": True}
        yield "POST", "/api/auth/login", {"email": email, "password": password[1:] + "!"}
        yield "POST", "/api/auth/setup", {"token": "t" * 200, "email": email, "password": password}
        yield "POST", "/api/auth/reset-password", {"token": "t" * 200, "new_password": password}
        yield "POST", "/api/auth/send-otp", {"email": email, "purpose": "login"}
    for number in HARD_NUMBERS:
        signup = {"mobile_number": number, "password": HARD_PASSWORDS[0], "accept_terms": True}
        yield "POST", "/api/auth/signup", signup
        yield "POST", "/api/auth/send-otp", {"mobile_number": number}
        yield "POST", "/api/auth/verify-otp", {"mobile_number": number, "code": "1" * 10}
        yield "POST", "/api/auth/login", {"mobile_number": number, "password": "x"}
    yield "POST", "/api/auth/refresh", {"refresh_token": "r" * 200}
    yield "POST", "/api/auth/totp/verify", {"challenge": "c" * 200, "code": "123456"}


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def hostile_headers() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    header = encoded({"alg": "HS256", "typ": "at+jwt"})
    deep = base64.urlsafe_b64encode(b"[" * 20_000).decode()
    many = encoded({f"k{number}": number for number in range(1_200)})
    yield "long token", [("Authorization", f"Bearer {header}.{'a' * 30_000}.c")]
    yield "deep token", [("Authorization", f"Bearer {deep}.{header}.c")]
    yield "token with many names", [("Authorization", f"Bearer {many}.{header}.{header}")]
    yield "critical names", [("Authorization", f"Bearer {encoded({'alg': 'HS256', 'crit': ['x'] * 5000})}.{header}.c")]
    yield "encrypted token", [("Authorization", "Bearer " + ".".join(["a" * 6_000] * 5))]
    yield "dots", [("Authorization", "Bearer " + "." * 30_000)]
    yield "long key", [("Authorization", "Bearer hortus_" + "a" * 30_000)]
    yield "cookies", [("Cookie", "; ".join(f"c{number}=v" for number in range(3_000)))]
    yield "quoted cookies", [("Cookie", "a=" + '"' + "\\303" * 7_000 + '"')]
    yield "session cookies", [("Cookie", "; ".join(["__Host-hortus_access=x.y.z"] * 1_000))]
    yield "forwarded", [("X-Forwarded-For", "1.2.3.4," * 3_000)]
    yield "many", [(f"X-H{number}", "v" * 200) for number in range(80)]
    yield "trace", [("traceparent", "00-" + "a" * 30_000)]
    yield "ranges", [("Range", "bytes=" + ",".join(["0-1"] * 7_000))]
    yield "etags", [("If-None-Match", ", ".join(['"a"'] * 5_000))]
    yield "accept", [("Accept", ", ".join(["a/b;q=0.1"] * 2_500)), ("Accept-Language", "en," * 3_000)]
    yield "content type", [("Content-Type", "application/json;" + "a=b;" * 5_000)]
    yield (
        "signatures",
        [
            ("Stripe-Signature", f"t={int(time.time())}," + ",".join(["v1=" + "0" * 64] * 400)),
            ("X-Razorpay-Signature", "0" * 4_000),
            ("Hortus-Signature", "v1," * 1_000),
        ],
    )


def hostile_queries() -> Iterator[tuple[str, str]]:
    yield "names", "&".join(f"n{number}" for number in range(1_500))
    yield "one name", "a&" * 3_900
    yield "limits", "limit=1&" * 900
    yield "digits", "limit=" + "9" * 7_500
    yield "escapes", "cursor=" + "%00" * 2_500
    yield "cursor", "cursor=" + base64.urlsafe_b64encode(b"[" * 370).decode()
    yield "search", "q=" + "%F0%9F%AA%81" * 80
    yield "times", "since=" + "1" * 7_000 + "&created_after=" + "9" * 400


def every_route() -> Iterator[tuple[str, str, int, list[str]]]:
    """(method, path, most bytes, fields) of all operations of the schema."""
    bounds = {
        (method, route.path): route.bounds.size
        for api in routes.ALL
        for route in api.router.routes
        if isinstance(route, StrictRoute)
        for method in route.methods
        if route.body_field is not None
    }
    schema = openapi_docs.schema()
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            fields = list(schema["components"]["schemas"].get(name, {}).get("properties", {}))
            address = re.sub(r"\{(\w+)\}", lambda found: "stripe" if "gateway" in found[1] else SOMEBODY, path)
            yield method.upper(), address, bounds.get((method.upper(), path), 0), fields


Request = tuple[str, str, str, dict[str, Any]]
"""What it is, method, path, and the rest as the client takes it."""
SIGNED_BY = (("stripe", "Stripe-Signature"), ("razorpay", "X-Razorpay-Signature"), ("sandbox", "X-Sandbox-Signature"))


def bodies(operations: list[tuple[str, str, int, list[str]]], full: bool) -> Iterator[Request]:
    for method, path, most, fields in operations:
        size = most or 1_000_000
        if most or (method != "GET" and full):
            for what, body in hostile_bodies(size, fields[: 3 if full else 1]):
                yield what, method, path, {"content": body, "headers": JSON}
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        yield "form", method, path, {"content": b"a=b&" * (size // 4), "headers": form}


def lines(operations: list[tuple[str, str, int, list[str]]]) -> Iterator[Request]:
    for method, path, *_ in operations:
        for what, headers in hostile_headers():
            yield what, method, path, {"headers": headers}
        for what, query in hostile_queries():
            yield what, method, f"{path}?{query}", {}


def values() -> Iterator[Request]:
    for method, path, body in hard_values():
        yield "hard values", method, path, {"json": body}


def webhooks(full: bool) -> Iterator[Request]:
    signatures = (f"t={int(time.time())}," + "v1=00," * 2_000, "0" * 64, "é" * 100)
    for gateway, name in SIGNED_BY:
        for signature in signatures if full else signatures[:1]:
            for what, body in hostile_bodies(512 * 1024, ["id"]):
                given = [*JSON.items(), (name, signature.encode())]
                yield f"{what}, signed", "POST", f"/api/webhook/{gateway}", {"content": body, "headers": given}


def cost(server: ServerThread, client: httpx2.Client, request: Request) -> float:
    """Seconds of CPU on the event loop's thread that one request takes: the least of a few, or the first good one."""
    _, method, path, given = request
    least = float("inf")
    for _ in range(TRIES):
        before = server.cpu()
        status = client.request(method, path, **given).status_code
        least = min(least, server.cpu() - before)
        assert status < 500, request[:3]
        if least <= LIMIT:
            break
    return least


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_anonymous_request_costs_more_than_20_ms_of_the_event_loop(
    database_url: str, tmp_path: Path, full: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_" + "a1B2" * 10)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_" + "b" * 40)
    monkeypatch.setenv("RAZORPAY_KEY_ID", "rzp_test_" + "c" * 14)
    monkeypatch.setenv("RAZORPAY_KEY_SECRET", "d" * 24)
    monkeypatch.setenv("RAZORPAY_WEBHOOK_SECRET", "e" * 24)
    monkeypatch.setenv("METRICS_TOKEN", "f" * 40)  # without one, every client on this machine may read it
    operations = list(every_route())
    assert sum(most > 0 for _, _, most, _ in operations) > 50
    chosen = [*operations[:: 1 if full else 9], ("POST", "/api/webhook/stripe", 0, []), ("GET", "/health/ready", 0, [])]
    slow = {}
    with ServerThread(database_url, tmp_path) as server, httpx2.Client(base_url=server.url, timeout=60) as client:
        assert client.get("/health/ready").status_code == 200
        for request in itertools.chain(bodies(operations, full), lines(chosen), values(), webhooks(full)):
            spent = cost(server, client, request)
            if spent > LIMIT:
                slow[" ".join(request[:3])[:100]] = f"{spent * 1000:.1f} ms"
    assert slow == {}
