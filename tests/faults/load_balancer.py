"""A minimal load balancer: polls `/health/ready` and forwards each connection to a ready server."""

import asyncio
import contextlib
from collections.abc import Sequence
from itertools import count
from typing import Self
from urllib.parse import urlsplit

POLL_SECONDS = 0.3


class LoadBalancer:
    """Listens on loopback; requests are not retried."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._backs = [(str(urlsplit(url).hostname), int(urlsplit(url).port or 0)) for url in urls]
        self._ready = set(self._backs)
        self._turn = count()
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self._poller = asyncio.create_task(self._poll())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._poller.cancel()
        self._server.close()

    async def _poll(self) -> None:
        while True:
            for back in self._backs:
                (self._ready.add if await _is_ready(back) else self._ready.discard)(back)
            await asyncio.sleep(POLL_SECONDS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one request per connection: adds `Connection: close`."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            head = b"\r\n".join(
                line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")
            ).replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
            back_reader, back_writer = await self._connect()
            back_writer.write(head)
            there = asyncio.ensure_future(_copy(reader, back_writer))
            await _copy(back_reader, writer)
            there.cancel()
            back_writer.close()
        writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(20):
            while True:
                ready = [back for back in self._backs if back in self._ready]
                if ready:
                    back = ready[next(self._turn) % len(ready)]
                    try:
                        return await asyncio.open_connection(*back)
                    except OSError:
                        self._ready.discard(back)
                await asyncio.sleep(0.05)


async def _is_ready(back: tuple[str, int]) -> bool:
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection(*back)
            writer.write(b"GET /health/ready HTTP/1.1\r\nHost: front\r\nConnection: close\r\n\r\n")
            answer = await reader.read(12)
            writer.close()
    except (OSError, TimeoutError):
        return False
    return answer.endswith(b" 200")


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
