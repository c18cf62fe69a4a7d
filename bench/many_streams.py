"""A thousand server-sent event streams in one process: memory, and delay behind the provider."""

import asyncio
import resource
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
from bench.figures import Figure, at_most, known, percentile
from bench.load import process, session, sign_up
from bench.routes import resident
from bench.streams import STAMP, Streams
from tests.faults.server_process import ServerProcess

from hortus.core.db import Database

STREAMS = 1000
CUSTOMERS = 10
ROOMS = 50
MESSAGES = 60
APART = 0.15
"""Seconds between two messages: each reply is sent to STREAMS / ROOMS listeners, which one core can handle."""
FILES = 4096


async def measure(folder: Path) -> list[Figure]:
    """Open all streams, then create replies in one chatroom after another."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES if most == resource.RLIM_INFINITY else min(FILES, most), most))
    vendor = ("-m", "tests.emulators.openai", "--first-token-delay", "0.2", "--token-delay", "0.02", "--tokens", "20")
    async with process(*vendor) as vendor_url:
        settings = {"OPENAI_BASE_URL": f"{vendor_url}/v1", "OPENAI_API_KEY": "sk", "OPENAI_TEXT_MODEL": "writer"}
        url = f"sqlite:///{folder / 'many.db'}"
        child = ServerProcess(folder / "many_streams", DATABASE_URL=url, **settings)
        async with child as server, session(STREAMS + 100) as http:
            database = Database(url)
            customers = await sign_up(http, server.url, database, CUSTOMERS)
            await database.close()
            rooms = [await open_rooms(http, server.url, customers[number % CUSTOMERS]) for number in range(ROOMS)]
            direct = Streams(http, f"{vendor_url}/v1/chat/completions", [{}])
            vendors_own = [await direct.once() for _ in range(20)]
            await send_messages(http, rooms[:5])
            await asyncio.sleep(1)
            before = resident(server.pid)
            listeners = Listeners(http)
            async with AsyncExitStack() as stack:
                for number in range(STREAMS):
                    await stack.enter_async_context(listeners.listening(*rooms[number % ROOMS]))
                await asyncio.sleep(1)
                quiet = resident(server.pid)
                await send_messages(http, [rooms[number % ROOMS] for number in range(MESSAGES)])
                await asyncio.sleep(2)
                busy = resident(server.pid)
    behind = listeners.behind
    if len(behind) < MESSAGES * STREAMS // ROOMS * 0.95:
        raise RuntimeError(f"only {len(behind)} of {MESSAGES * STREAMS // ROOMS} first tokens were received")
    own = statistics.median(vendors_own)
    return [
        at_most(f"resident memory with {STREAMS:,} streams open", busy, 150, "MiB"),
        known("... added by idle streams", quiet - before, "MiB"),
        known("... added after replies were delivered to all", busy - before, "MiB"),
        at_most("first token, added to the provider's latency", (statistics.median(behind) - own) * 1000, 10, "ms"),
        known("... p99", (percentile(behind, 99) - own) * 1000, "ms"),
    ]


async def open_rooms(http: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> tuple[str, dict[str, str]]:
    """The path of a new chatroom, and the headers of its owner."""
    async with http.post(f"{url}/api/chatroom", json={"title": "Bench"}, headers=headers) as answer:
        answer.raise_for_status()
        return f"{url}/api/chatroom/{(await answer.json())['id']}", headers


async def send_messages(http: aiohttp.ClientSession, rooms: list[tuple[str, dict[str, str]]]) -> None:
    """Send a message to each chatroom, with a pause for its reply."""
    for address, headers in rooms:
        async with http.post(f"{address}/message", json={"content": "Hi"}, headers=headers) as answer:
            if answer.status != 202:
                raise RuntimeError(await answer.text())
        await asyncio.sleep(APART)
    await asyncio.sleep(1.5)


class Listeners:
    """Streams of chatrooms, and the delays between sending and receiving the first token of replies."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http
        self.behind: list[float] = []
        self._since = time.monotonic_ns()

    @asynccontextmanager
    async def listening(self, address: str, headers: dict[str, str]) -> AsyncIterator[None]:
        """Keep one stream open within the block."""
        quiet = aiohttp.ClientTimeout(total=None)
        async with self._http.get(f"{address}/events", headers=headers, timeout=quiet) as answer:
            if answer.status != 200:
                raise RuntimeError(await answer.text())
            reading = asyncio.create_task(self._read(answer.content))
            try:
                yield
            finally:
                reading.cancel()
                await asyncio.wait((reading,))

    async def _read(self, lines: aiohttp.StreamReader) -> None:
        name = b""
        async for line in lines:
            if line.startswith(b"event: "):
                name = line.strip()
            found = STAMP.search(line) if name == b"event: delta" and line.startswith(b"data") else None
            if found and int(found[0]) > self._since:  # skip tokens sent before the stream was open
                self.behind.append((time.monotonic_ns() - int(found[0])) / 1e9)
