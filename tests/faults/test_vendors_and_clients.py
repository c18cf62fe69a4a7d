"""Providers hang or disconnect, clients disconnect or cancel; no process is harmed."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.emulators.openai import OpenAIEmulator
from tests.faults.audit import all_ended, audit
from tests.faults.clients import customers
from tests.helpers.server import Hortus, serve

SLACK = 12
"""Tasks and descriptors more or less that a pool may hold."""


@pytest.fixture
def server_options(vendor: OpenAIEmulator) -> dict[str, Any]:
    return {"lease_seconds": 5, "worker_concurrency": 32}


@pytest.fixture
async def impatient(vendor: OpenAIEmulator, database_url: str, tmp_path: Path) -> AsyncIterator[Hortus]:
    settings = {"text_deadline_seconds": 2, "lease_seconds": 5, "worker_concurrency": 32}
    async with serve(database_url, tmp_path, **settings) as running:
        yield running


async def ask(client: httpx2.AsyncClient, n: int) -> httpx2.Response:
    """A text, streamed or not."""
    return await client.post("/api/text/generate", json={"prompt": f"Kite {n}", "stream": n % 2 == 0})


@pytest.mark.parametrize("how", ["hang", "cut", "stall", "half_headers"])
async def test_a_vendor_fails_every_call(impatient: Hortus, vendor, tmp_path: Path, full: bool, record, how: str):
    number = 200 if full else 24
    vendor.fail(how)
    async with customers(impatient.url, impatient.database, 4, timeout=60) as clients:
        answers = await asyncio.gather(*(ask(clients[n % 4], n) for n in range(number)))
        took = await all_ended(impatient.database, number)
    assert {answer.status_code for answer in answers} <= {200, 502, 503}, {answer.status_code for answer in answers}
    assert all("event: error" in answer.text for answer in answers if answer.status_code == 200)
    await audit(impatient.database, tmp_path / "data" / "files", failures=("unavailable",), none_succeeds=True)
    assert vendor.active == 0
    record(f"provider: {how}", f"{number} generations, none charged", took)


async def test_clients_leave_in_the_middle_of_a_stream(
    hortus: Hortus, vendor, tmp_path: Path, full: bool, rng: random.Random, record
):
    number = 200 if full else 30
    vendor.token_delay, vendor.reply = 0.3, ["word "] * 400
    async with customers(hortus.url, hortus.database, 4, timeout=60) as clients:
        before = (len(asyncio.all_tasks()), descriptors())
        for start in range(0, number, 50):
            await asyncio.gather(*(leave(clients[n % 4], n, rng) for n in range(start, min(start + 50, number))))
        left = time.monotonic()
        async with asyncio.timeout(5):
            while vendor.active:
                await asyncio.sleep(0.02)
        took = time.monotonic() - left
        await all_ended(hortus.database, number)
        async with asyncio.timeout(10):
            while len(asyncio.all_tasks()) > before[0] + SLACK or descriptors() > before[1] + SLACK:
                await asyncio.sleep(0.1)
    books = await audit(hortus.database, tmp_path / "data" / "files", none_succeeds=True)
    assert books.statuses == {"cancelled": number}
    assert vendor.disconnects == number
    record("client gone mid-stream", f"{number} streams, every vendor call cancelled", took)


def descriptors() -> int:
    """How many this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def leave(client: httpx2.AsyncClient, n: int, rng: random.Random) -> None:
    """Read some of it and go."""
    wanted = rng.randint(1, 4)
    asked = {"prompt": f"Kite {n}", "stream": True}
    async with client.stream("POST", "/api/text/generate", json=asked) as answer:
        assert answer.status_code == 200
        async for line in answer.aiter_lines():
            wanted -= line == "event: delta"
            if not wanted:
                return


async def test_cancelled_just_when_it_ends(
    hortus: Hortus, vendor, tmp_path: Path, full: bool, rng: random.Random, record
):
    points = 50 if full else 15
    vendor.delay = 0.3
    async with customers(hortus.url, hortus.database, 4, timeout=60) as clients:
        since = time.monotonic()
        made = await clients[0].post("/api/image/generate", json={"prompt": "Kite", "size": "256x256"})
        assert made.status_code == 202
        await all_ended(hortus.database, 1)
        usual = time.monotonic() - since
        moments = [3 * usual * place / points for place in range(points)]
        fates = await asyncio.gather(
            *(cancel_after(clients[n % 4], n, moment, rng) for n, moment in enumerate(moments))
        )
        took = await all_ended(hortus.database, points + 1)
        books = await audit(hortus.database, tmp_path / "data" / "files")
    assert set(fates) == {200, 409}
    assert books.statuses == {"cancelled": fates.count(200), "succeeded": fates.count(409) + 1}
    record("cancel against finish", f"{points} points, {dict(books.statuses)}", took)


async def cancel_after(client: httpx2.AsyncClient, n: int, moment: float, rng: random.Random) -> int:
    await asyncio.sleep(rng.uniform(0, 3))
    body = {"prompt": f"Kite {n}", "size": "256x256"}
    made: Any = (await client.post("/api/image/generate", json=body)).json()
    await asyncio.sleep(moment)
    return (await client.post(f"/api/generations/{made['id']}/cancel")).status_code
