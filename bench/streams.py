"""Delay of the first token behind the provider, with hundreds of open streams, and in one burst."""

import asyncio
import re
import statistics
import time
from itertools import count
from pathlib import Path

import aiohttp
from bench.figures import Figure, at_most, known, percentile
from bench.load import process, session, sign_up
from tests.faults.server_process import ServerProcess

STREAMS = 256
THINKS = 4.0
"""Seconds before the provider's first token, so that hundreds of streams are open at a rate one core can handle."""
EVERY = 1 / 72
SECONDS = 10.0
STAMP = re.compile(rb"\d{10,20} ")


async def measure(folder: Path) -> list[Figure]:
    """Measure with the emulator in a process of its own; its first token contains the time of sending."""
    vendor = ("-m", "tests.emulators.openai", "--first-token-delay", str(THINKS), "--token-delay", "0.02")
    async with process(*vendor, "--tokens", "20") as vendor_url:
        settings = {"OPENAI_BASE_URL": f"{vendor_url}/v1", "OPENAI_API_KEY": "sk", "OPENAI_TEXT_MODEL": "writer"}
        async with (
            ServerProcess(folder / "streams", DATABASE_URL="", **settings) as server,
            session(3 * STREAMS) as http,
        ):
            customers = await sign_up(http, server.url, None, int(SECONDS / EVERY / 4) + STREAMS // 2)
            vendors_own = Streams(http, f"{vendor_url}/v1/chat/completions", [{}])
            ours = Streams(http, f"{server.url}/api/text/generate", customers)
            behind = {"vendor": await vendors_own.steady(), "ours": await ours.steady()}
            rush = {"vendor": await vendors_own.rush(), "ours": await ours.rush()}
    found = {name: statistics.median(times) * 1000 for name, times in behind.items()}
    first = {name: statistics.median(times) for name, times in rush.items()}
    return [
        known(
            f"first token, read directly from the emulator, {STREAMS} streams open",
            found["vendor"],
            "ms",
        ),
        known("... through Hortus", found["ours"], "ms"),
        at_most("... added, median", found["ours"] - found["vendor"], 5, "ms"),
        known("... added, p99", (percentile(behind["ours"], 99) - percentile(behind["vendor"], 99)) * 1000, "ms"),
        known(
            f"{STREAMS} streams requested at once: all first tokens received within",
            first["ours"] - THINKS,
            "s",
        ),
        known("... directly from the emulator", first["vendor"] - THINKS, "s"),
    ]


class Streams:
    """Client that opens streams at one address."""

    def __init__(self, http: aiohttp.ClientSession, url: str, headers: list[dict[str, str]]) -> None:
        self._http, self._url, self._headers = http, url, headers
        self._numbers = count()
        self._open = 0

    async def steady(self) -> list[float]:
        """Delays between sending and arrival of first tokens that arrived while STREAMS streams were open."""
        asked, end = [], time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            asked.append(asyncio.create_task(self._one()))
            await asyncio.sleep(EVERY)
        found = [behind for behind, open_streams, _ in await asyncio.gather(*asked) if open_streams >= STREAMS]
        if len(found) < 50:
            raise RuntimeError(f"only {len(found)} first tokens came while {STREAMS} streams were open")
        return found

    async def once(self) -> float:
        """Delay between sending and arrival of one stream's first token."""
        behind, _, _ = await self._one()
        return behind

    async def rush(self) -> list[float]:
        """Seconds until the first token, for STREAMS streams that start together."""
        return [first for _, _, first in await asyncio.gather(*(self._one() for _ in range(STREAMS)))]

    async def _one(self) -> tuple[float, int, float]:
        """Delay behind the provider, number of open streams, and seconds since the request."""
        number = next(self._numbers)
        body = {"prompt": "Hi", "max_tokens": 40, "stream": True}
        if not self._headers[0]:
            body = {"model": "writer", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
        started, found = time.perf_counter(), None
        self._open += 1
        head = self._headers[number % len(self._headers)]
        async with self._http.post(self._url, json=body, headers=head) as answer:
            if answer.status != 200:
                raise RuntimeError(await answer.text())
            async for line in answer.content:
                sent = None if found else STAMP.search(line)
                if sent:
                    behind = (time.monotonic_ns() - int(sent[0])) / 1e9
                    found = (behind, self._open, time.perf_counter() - started)
        self._open -= 1
        if found is None:
            raise RuntimeError("a stream without a token")
        return found
