"""Download a result from a URL that a vendor returned, protected against requests to private networks (SSRF)."""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from hortus.core.http import Http, StreamedResponse
from hortus.providers.base import Unavailable
from hortus.providers.http_helpers import failure

HOPS = 3

Trusted = Mapping[str, Mapping[str, str]]
"""Base addresses of vendors, each with the headers (such as its key) that only URLs of the same origin receive."""


async def read(http: Http, url: str, trusted: Trusted, *, timeout: float, max_bytes: int) -> bytes:
    """The bytes at `url`, at most `max_bytes`. Errors as in `open_result`."""
    async with open_result(http, url, trusted, timeout=timeout, max_bytes=max_bytes) as response:
        return await response.read()


async def save(http: Http, url: str, trusted: Trusted, path: Path, *, timeout: float, max_bytes: int) -> int:
    """Write the content of `url` to the new file `path` and return its size. Errors as in `open_result`."""
    size = 0
    async with open_result(http, url, trusted, timeout=timeout, max_bytes=max_bytes) as response:
        file = await asyncio.to_thread(path.open, "wb")
        with file:
            async with aclosing(response.chunks()) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    size += file.write(chunk)
    return size


@asynccontextmanager
async def open_result(
    http: Http, url: str, trusted: Trusted, *, timeout: float, max_bytes: int
) -> AsyncIterator[StreamedResponse]:
    """The response to a GET of `url`, at most HOPS redirects on.

    Every hop must be of a trusted origin, or https to a public host. Raises Unavailable
    for any other address, and the error that fits for an answer other than 200.
    """
    for _ in range(HOPS + 1):
        headers = next((sent for base, sent in trusted.items() if _origin(base) == _origin(url)), None)
        if headers is None:
            await _refuse_private(url)
        async with http.stream("GET", url, headers=headers, timeout=timeout, max_bytes=max_bytes) as response:
            if response.status == 200:
                yield response
                return
            if response.status not in {301, 302, 303, 307, 308}:
                raise failure(response.status, response.headers, await response.read())
            url = urljoin(url, response.headers.get("Location", ""))
    raise Unavailable(f"the URL of the result redirects more than {HOPS} times")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return url, None, None
    return parts.scheme, parts.hostname, port


async def _refuse_private(url: str) -> None:
    """Refuse any URL but https to a public address. A name that resolves differently later fails at its certificate."""
    scheme, host, port = _origin(url)
    if scheme != "https" or not host:
        raise Unavailable("the URL of the result is refused: it must be https")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable("the host of the result cannot be resolved") from error
    if not found or any(not ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_global for entry in found):
        raise Unavailable("the URL of the result is refused: its host must have a public address")
