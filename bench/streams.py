"""What this server adds to the first token of a stream, with hundreds of streams at once."""

import asyncio
import statistics
import time
from pathlib import Path

import aiohttp
from bench.figures import Figure, at_most, known, percentile
from bench.load import process, session, sign_up
from tests.faults.child import Child

STREAMS = 256
ROUNDS = 3
DELAY = 1.0


async def measure(folder: Path) -> list[Figure]:
    """All streams start together; the vendor is a process of its own and thinks for a second."""
    vendor = ("-m", "tests.emulators.openai", "--first-token-delay", str(DELAY), "--token-delay", "0.02")
    async with process(*vendor, "--tokens", "20") as vendor_url:
        settings = {"OPENAI_BASE_URL": f"{vendor_url}/v1", "OPENAI_API_KEY": "sk", "OPENAI_TEXT_MODEL": "writer"}
        async with Child(folder / "streams", DATABASE_URL="", **settings) as server, session(STREAMS) as http:
            first: dict[str, list[float]] = {"vendor": [], "ours": []}
            for _ in range(ROUNDS):
                customers = await sign_up(http, server.url, None, STREAMS // 4)
                first["vendor"] += await round_of(http, f"{vendor_url}/v1/chat/completions", [{}] * STREAMS, "content")
                first["ours"] += await round_of(http, f"{server.url}/api/text/generate", customers * 4, "delta")
    vendor_p50, ours_p50 = (statistics.median(first[name]) for name in ("vendor", "ours"))
    return [
        known(f"first token of the emulator itself, {STREAMS} streams at once", vendor_p50, "s"),
        known("first token through Hortus", ours_p50, "s"),
        at_most("... added, median", (ours_p50 - vendor_p50) * 1000, 5, "ms"),
        known("... added, p99", (percentile(first["ours"], 99) - percentile(first["vendor"], 99)) * 1000, "ms"),
    ]


async def round_of(http: aiohttp.ClientSession, url: str, headers: list[dict[str, str]], mark: str) -> list[float]:
    """Seconds until a line with the first piece of text, for each stream."""
    body = {"prompt": "Hi", "max_tokens": 40, "stream": True}
    if mark == "content":
        body = {"model": "writer", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    wanted = b"word "

    async def one(head: dict[str, str]) -> float:
        started, found = time.perf_counter(), 0.0
        async with http.post(url, json=body, headers=head) as answer:
            if answer.status != 200:
                raise RuntimeError(await answer.text())
            async for line in answer.content:
                if not found and wanted in line:
                    found = time.perf_counter() - started
        if not found:
            raise RuntimeError("a stream without a token")
        return found

    return list(await asyncio.gather(*(one(head) for head in headers)))
