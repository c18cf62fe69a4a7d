"""Accepted image requests per second: quota consumed, credit held, task and response committed."""

import asyncio
import itertools
import statistics
from pathlib import Path

from bench.figures import Figure, at_least, known, percentile
from bench.load import closed_loop, process, session, sign_up
from tests.faults.server_process import ServerProcess

from hortus.core.db import Database

ROUNDS = 4
SECONDS = 2.0
USERS = 64


async def measure(folder: Path, database_url: str) -> list[Figure]:
    """Measure on PostgreSQL with a provider so slow that the workers are idle."""
    async with process("-m", "tests.emulators.openai", "--delay", "3600") as vendor:
        settings = {
            "DATABASE_URL": database_url,
            "OPENAI_BASE_URL": f"{vendor}/v1",
            "OPENAI_API_KEY": "sk",
            "OPENAI_TEXT_MODEL": "writer",
            "OPENAI_IMAGE_MODEL": "painter",
        }
        async with ServerProcess(folder / "images", **settings) as server, session() as http:
            database = Database(database_url)
            customers = await sign_up(http, server.url, database, USERS)
            await database.close()
            keys = itertools.count()

            async def order(client: int) -> None:
                headers = {**customers[client % USERS], "Idempotency-Key": f"bench-{next(keys)}"}
                body = {"prompt": "A kite", "size": "256x256"}
                async with http.post(f"{server.url}/api/image/generate", json=body, headers=headers) as answer:
                    if answer.status != 202:
                        raise RuntimeError(await answer.text())
                    await answer.read()

            await closed_loop(order, 0.5)
            rounds = [await closed_loop(order, SECONDS) for _ in range(ROUNDS)]
            await asyncio.sleep(0)
    times = [each for _, found in rounds for each in found]
    return [
        at_least("images accepted, PostgreSQL, 64 clients", statistics.median(rate for rate, _ in rounds), 300, "/s"),
        known("... median response time", percentile(times, 50) * 1000, "ms"),
    ]
