"""Load generator: a closed loop of clients on keep-alive connections."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from hortus import ledger, quotas
from hortus.core.db import Database
from hortus.core.money import MICRO

CLIENTS = 64
PASSWORD = "a long enough passphrase 7"


@asynccontextmanager
async def session(connections: int = CLIENTS) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP session with that many connections."""
    # The server closes idle connections after five seconds; reuse none that is about to close.
    connector = aiohttp.TCPConnector(limit=connections, keepalive_timeout=3)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(60)) as opened:
        yield opened


async def closed_loop(
    call: Callable[[int], Awaitable[Any]], seconds: float, clients: int = CLIENTS
) -> tuple[float, list[float]]:
    """Calls per second and the duration of each, with `clients` that wait for each answer."""
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        while (started := time.perf_counter()) < end:
            await call(number)
            times.append(time.perf_counter() - started)

    began = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(clients)))
    return len(times) / (time.perf_counter() - began), times


def getter(http: aiohttp.ClientSession, url: str, headers: dict[str, str] | None = None) -> Callable[[int], Any]:
    """A call that reads `url` and raises unless the status is 200."""

    async def get(_: int) -> None:
        async with http.get(url, headers=headers) as answer:
            await answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{url} said {answer.status}")

    return get


async def sign_up(
    http: aiohttp.ClientSession, url: str, database: Database | None, number: int
) -> list[dict[str, str]]:
    """Headers of new customers; with `database` they get the plan `pro` and ample credit."""
    found = []
    for place in range(number):
        body = {"email": f"b{time.time_ns()}{place}@example.com", "password": PASSWORD, "accept_terms": True}
        async with http.post(f"{url}/api/auth/register", json=body) as answer:
            answer.raise_for_status()
            headers = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
        found.append(headers)
        if database is not None:
            async with http.get(f"{url}/api/user/me", headers=headers) as answer:
                user_id = (await answer.json())["id"]
            async with database.transaction() as tx:
                await quotas.set_plan(tx, user_id, name="pro")
                await ledger.grant(tx, user_id, 10**6 * MICRO, reference=f"bench:{user_id}", reason="Benchmark")
    return found


@asynccontextmanager
async def process(*arguments: str) -> AsyncIterator[str]:
    """Run a Python process that prints its address first; it is terminated at the end."""
    child = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=subprocess.PIPE)
    assert child.stdout is not None
    try:
        yield (await child.stdout.readline()).decode().strip()
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()
