"""The server is killed repeatedly; no work and no credit is lost."""

import asyncio
import random
import secrets
from pathlib import Path

import httpx2
from sqlalchemy import select
from tests.emulators.gemini import GeminiEmulator
from tests.emulators.openai import OpenAIEmulator
from tests.faults.audit import all_ended, audit, tasks_closed
from tests.faults.clients import customers, retry_post
from tests.faults.server_process import ServerProcess

from hortus.core.db import Database
from hortus.generation.tables import Generation

USERS = 5


async def test_generations_survive_a_killer(database_url: str, database: Database, tmp_path: Path, full: bool):
    total, seconds = (50, 10.0) if full else (16, 4.0)
    seed = secrets.randbelow(2**32)
    print(f"seed {seed}")  # noqa: T201 - to have the same deaths again
    rng = random.Random(seed)
    async with OpenAIEmulator(delay=0.4, token_delay=0.05) as vendor:
        settings = {
            "DATABASE_URL": database_url,
            "LEASE_SECONDS": "3",
            "OPENAI_BASE_URL": f"{vendor.url}/v1",
            "OPENAI_API_KEY": "sk-emulated",
            "OPENAI_TEXT_MODEL": "house-writer",
            "OPENAI_IMAGE_MODEL": "house-painter",
        }
        async with ServerProcess(tmp_path / "server", **settings) as server:
            async with customers(server.url, database, USERS) as clients:
                submissions = [submit(clients[place % USERS], place, rng, seconds) for place in range(total)]
                killer = asyncio.create_task(kill_now_and_then(server, rng))
                await asyncio.gather(*submissions)
                await asyncio.sleep(rng.uniform(1, 3))  # and some while they are worked on
                killer.cancel()
                await asyncio.wait([killer])
                if not killer.cancelled():
                    killer.result()
            await server.kill()  # whatever the killer was doing
            await server.start()
            print(f"killed {server.kills} times; {vendor.counts['calls']} calls of the vendor")  # noqa: T201
            await all_ended(database, total)
            await tasks_closed(database)
    books = await audit(database, tmp_path / "server" / "data" / "files")
    assert books.statuses["succeeded"] > 0


async def submit(client: httpx2.AsyncClient, place: int, rng: random.Random, within: float) -> None:
    """An image or a chat message, some time in the first seconds."""
    await asyncio.sleep(rng.uniform(0, within))
    if place % 2:
        generate = {"prompt": f"Kite {place}", "size": "256x256", "count": 1 + place % 3}
        await retry_post(client, "/api/image/generate", generate, f"image-{place}", rng)
        return
    room = await retry_post(client, "/api/chatroom", {"title": f"Room {place}"}, f"room-{place}", rng)
    await retry_post(client, f"/api/chatroom/{room['id']}/message", {"content": "Hello"}, f"message-{place}", rng)


async def kill_now_and_then(server: ServerProcess, rng: random.Random) -> None:
    """SIGKILL every one to three seconds."""
    while True:
        await asyncio.sleep(rng.uniform(1, 3))
        await server.kill()
        await server.start()


async def test_a_bought_video_is_not_bought_again_after_a_kill(database_url: str, database: Database, tmp_path: Path):
    async with GeminiEmulator(job_seconds=6.0) as vendor:
        settings = {
            "DATABASE_URL": database_url,
            "LEASE_SECONDS": "2",
            "GEMINI_BASE_URL": vendor.url,
            "GEMINI_API_KEY": "AIza-emulated",
            "GEMINI_POLL_SECONDS": "0.2",
        }
        async with ServerProcess(tmp_path / "server", **settings) as server:
            async with customers(server.url, database, 1) as (client,):
                generate = {"prompt": "A kite over the sea"}
                made = await retry_post(client, "/api/video/generate", generate, "video", random.Random(1))
            handle = await bought(database, made["id"])
            await server.kill()
            looks = vendor.counts[f"GET /v1/interactions/{handle}"]
            await server.start()
            await all_ended(database, 1)
            await tasks_closed(database)  # while the loop can close them
    assert vendor.counts[f"GET /v1/interactions/{handle}"] > looks
    assert vendor.bought() == {made["id"]: 1}
    assert vendor.counts["POST /v1/interactions"] == 1
    books = await audit(database, tmp_path / "server" / "data" / "files")
    assert books.statuses["succeeded"] > 0


async def bought(database: Database, generation_id: str) -> str:
    """The provider's id of the job, once it is stored."""
    query = select(Generation.job_handle).where(Generation.id == generation_id)
    async with asyncio.timeout(10):
        while True:
            async with database.snapshot() as tx:
                handle = (await tx.execute(query)).scalar_one()
            if handle is not None:
                return handle
            await asyncio.sleep(0.02)
