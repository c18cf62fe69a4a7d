"""The HTTP edge: bodies with a wrong Content-Length, and pages without external resources."""

import asyncio
import re
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from tests.helpers.server import Hortus


async def chunks(total: int) -> AsyncIterator[bytes]:
    for _ in range(0, total, 65536):
        yield b" " * 65536


async def test_a_body_in_chunks_is_bounded_too(hortus: Hortus):
    someone = hortus.anonymous()
    headers = {"Content-Type": "application/json"}
    answer = await someone.post("/api/auth/login", content=chunks(2 * 1024 * 1024), headers=headers)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "payload_too_large"


async def test_uploads_are_refused_before_the_body_is_read(hortus: Hortus):
    parts = urlsplit(hortus.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = (
        "POST /api/upload/file HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000000\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    )
    writer.write(head.encode() + b"--x\r\n")  # and never the rest
    async with asyncio.timeout(10):
        assert b" 401 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_the_documentation_comes_whole_from_here(hortus: Hortus):
    someone = hortus.anonymous()
    for path in ("/docs", "/redoc"):
        page = await someone.get(path)
        assert page.status_code == 200
        loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert len(loaded) >= 2
        for url in loaded:
            assert url.startswith(("/docs/assets/", "/favicon.ico")), url
            assert (await someone.get(url)).status_code == 200, url
        policy = page.headers["content-security-policy"]
        assert "http" not in policy
        assert "unsafe-inline" not in policy.split("script-src", 1)[1].split(";", 1)[0]
