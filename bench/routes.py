"""`GET /api/user/me` against an empty FastAPI route, login, start-up time, memory, and latency while providers hang."""

import asyncio
import statistics
import time
from pathlib import Path

import aiohttp
from bench.figures import Figure, at_least, at_most, known, percentile
from bench.load import PASSWORD, closed_loop, getter, process, session, sign_up
from tests.emulators.openai import OpenAIEmulator
from tests.faults.server_process import ServerProcess

ROUNDS = 5
SECONDS = 1.5
HANGING = 200


async def measure(folder: Path) -> list[Figure]:
    """Measure on one server with SQLite."""
    async with OpenAIEmulator(delay=3600) as vendor:
        server = ServerProcess(
            folder / "routes",
            OPENAI_BASE_URL=f"{vendor.url}/v1",
            OPENAI_TEXT_MODEL="writer",
            OPENAI_API_KEY="sk",
            PRO_DAILY_LIMIT="100000",
            DATABASE_URL="",
        )
        starts = []
        for _ in range(3):
            started = time.perf_counter()
            await server.start()
            async with aiohttp.ClientSession() as http:
                await getter(http, f"{server.url}/health")(0)
            starts.append(time.perf_counter() - started)
            if len(starts) < 3:
                await server.stop()
        async with server.running():
            await asyncio.sleep(2)
            memory = resident(server.pid)
            return [
                at_most("`hortus up` until healthy", statistics.median(starts), 2, "s"),
                at_most("resident memory at rest", memory, 130, "MiB"),
                *await routes(server.url),
                await login(server.url),
                *await latency_under_load(server.url, vendor),
            ]


def resident(pid: int) -> float:
    """Resident memory in MiB."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def routes(url: str) -> list[Figure]:
    """Measure the routes alternately."""
    async with process("-m", "bench.fastapi_baseline") as empty_url, session() as http:
        (headers,) = await sign_up(http, url, None, 1)
        async with http.post(f"{url}/api/keys", json={"name": "bench"}, headers=headers) as answer:
            by_key = {"Authorization": f"Bearer {(await answer.json())['secret']}"}
        calls = {
            "me": getter(http, f"{url}/api/user/me", headers),
            "key": getter(http, f"{url}/api/user/me", by_key),
            "empty": getter(http, f"{empty_url}/empty"),
        }
        await asyncio.sleep(1)
        found: dict[str, list[float]] = {name: [] for name in calls}
        for call in calls.values():
            await closed_loop(call, 0.5)
        for _ in range(ROUNDS):
            for name, call in calls.items():
                found[name].append((await closed_loop(call, SECONDS))[0])
    me, key, empty = (statistics.median(found[name]) for name in ("me", "key", "empty"))
    return [
        known("an empty FastAPI route on the same uvicorn", empty, "calls/s"),
        known("`GET /api/user/me` with an access token", me, "calls/s"),
        at_least("... relative to the empty route", me / empty, 0.333, "times"),
        at_least("... with an API key, relative to an access token", key / me, 0.85, "times"),
    ]


async def login(url: str) -> Figure:
    """Log in, in sequence."""
    async with session() as http:
        email = f"login{time.time_ns()}@example.com"
        body = {"email": email, "password": PASSWORD, "accept_terms": True}
        async with http.post(f"{url}/api/auth/register", json=body) as answer:
            answer.raise_for_status()

        async def call(_: int) -> None:
            async with http.post(f"{url}/api/auth/login", json={"email": email, "password": PASSWORD}) as answer:
                answer.raise_for_status()

        _, times = await closed_loop(call, 2, clients=1)
    return at_most("login, median", statistics.median(times) * 1000, 50, "ms")


async def latency_under_load(url: str, vendor: OpenAIEmulator) -> list[Figure]:
    """Latency of `/api/user/me` without other load, and while hundreds of calls to the provider hang."""
    async with session(HANGING + 8) as http:
        customers = await sign_up(http, url, None, HANGING // 4)
        one = getter(http, f"{url}/api/user/me", customers[0])
        _, before = await closed_loop(one, 3, clients=4)

        async def hang(headers: dict[str, str]) -> None:
            async with http.post(f"{url}/api/text/generate", json={"prompt": "Hi", "max_tokens": 10}, headers=headers):
                pass

        hanging = [asyncio.create_task(hang(headers)) for headers in customers for _ in range(4)]
        async with asyncio.timeout(30):
            while vendor.active < HANGING:
                if any(task.done() for task in hanging):
                    raise RuntimeError("a hanging call came back")
                await asyncio.sleep(0.05)
        _, during = await closed_loop(one, 3, clients=4)
        for task in hanging:
            task.cancel()
        await asyncio.wait(hanging)
    return [
        known("p99 of `/api/user/me`, 4 clients, otherwise idle", percentile(before, 99) * 1000, "ms"),
        at_most(f"... while {HANGING} provider calls hang", percentile(during, 99) * 1000, 200, "ms"),
    ]
