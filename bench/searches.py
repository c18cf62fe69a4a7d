"""Fifty concurrent distinct searches over 200,000 rows, of which 20,000 belong to the caller."""

import asyncio
import random
import statistics
import time
from pathlib import Path
from typing import Any

import aiohttp
from bench.figures import Figure, at_most, percentile
from bench.load import session, sign_up
from sqlalchemy import insert, text
from tests.faults.server_process import ServerProcess

from hortus.chat.tables import Chatroom, Message
from hortus.core import clock, ids
from hortus.core.db import Database, search
from hortus.files.tables import File
from hortus.generation.tables import Generation

ROWS, MINE = 200_000, 20_000
SEARCHES = 50
ROUNDS = 6
OTHERS = [ids.new() for _ in range(9)]
PATHS = {
    "rooms": "chatroom?q=",
    "messages": "chatroom/search?q=",
    "files": "upload/files?q=",
    "works": "generations?q=",
}


async def measure(folder: Path, postgresql: str) -> list[Figure]:
    """Measure on both databases, through the routes of a running server."""
    figures = []
    for dialect, url in (("sqlite", ""), ("postgresql", postgresql)):
        async with ServerProcess(folder / f"searches-{dialect}", DATABASE_URL=url) as server, session() as http:
            database = Database(url or f"sqlite:///{server.folder / 'data' / 'hortus.db'}")
            (headers,) = await sign_up(http, server.url, database, 1)
            async with http.get(f"{server.url}/api/user/me", headers=headers) as answer:
                me = (await answer.json())["id"]
            vocabulary = await fill(database, me)
            await database.close()
            for name, path in PATHS.items():
                figures += await search_in(
                    http, f"{server.url}/api/{path}", headers, vocabulary, server.pid, f"{name} on {dialect}"
                )
    return figures


async def fill(database: Database, me: str) -> list[str]:
    """Insert rows of ten users, a tenth of them of `me`; each has four of 3,000 words, some of them frequent."""
    chance = random.Random(7)
    vocabulary = [
        "".join(chance.choice("abcdefghijklmnoprstuvy") for _ in range(chance.randint(4, 9))) for _ in range(3000)
    ]
    weights = [1 / (place + 1) for place in range(len(vocabulary))]
    rooms = {user: ids.new() for user in [me, *OTHERS]}
    room = {"pinned": False, "archived": False, "created_at": clock.now(), "updated_at": clock.now()}
    async with database.transaction() as tx:
        for user, room_id in rooms.items():
            row = {"id": room_id, "user_id": user, "title": "x", "activity": ids.new(), "search": ""} | room
            await tx.execute(insert(Chatroom), row)
    file = {
        "purpose": "upload", "mime_type": "image/png", "bytes": 1, "sha256": "0" * 64, "scan": "not_scanned",
        "storage_key": "k", "accessed_count": 0,
    }  # fmt: skip
    work: dict[str, Any] = {
        "kind": "image", "operation": "image", "status": "succeeded", "progress": 100, "quality": "balanced",
        "params": {}, "route": [], "price": 0, "model": "m", "provider": "local", "outputs": [], "attempts": [],
    }  # fmt: skip
    for start in range(0, ROWS, 5000):
        async with database.transaction() as tx:
            rows: dict[Any, list[dict[str, Any]]] = {Chatroom: [], Message: [], File: [], Generation: []}
            for number in range(start, start + 5000):
                user = me if number % (ROWS // MINE) == 0 else OTHERS[number % 9]
                words = " ".join(chance.choices(vocabulary, weights, k=4))
                shared = {"search": search.document(user, words), "created_at": clock.now()}
                owned = shared | {"user_id": user}
                rows[Chatroom].append({"id": ids.new(), "title": words, "activity": ids.new()} | room | owned)
                rows[Message].append(
                    {"id": ids.new(), "room_id": rooms[user], "role": "user", "content": words, "status": "done"}
                    | shared
                )
                rows[File].append({"id": ids.new(), "filename": words} | file | owned)
                rows[Generation].append({"id": ids.new(), "prompt": words} | work | owned)
            for table, values in rows.items():
                await tx.execute(insert(table), values)
    async with database.transaction() as tx:
        await tx.execute(text("ANALYZE"))
    return vocabulary


async def search_in(
    http: aiohttp.ClientSession, url: str, headers: dict[str, str], vocabulary: list[str], pid: int, name: str
) -> list[Figure]:
    """Run rounds of distinct searches: frequent and rare words, prefixes, two words, and missing words."""
    chance = random.Random(11)

    def words(number: int) -> str:
        word = vocabulary[min(len(vocabulary) - 1, int(chance.paretovariate(0.4)))]
        return (word, word[:3], f"{word} {vocabulary[number % 40]}", word, f"zq{number}")[number % 5]

    async def one(query: str) -> float:
        started = time.perf_counter()
        async with http.get(url + query.replace(" ", "+"), headers=headers) as answer:
            await answer.read()
            answer.raise_for_status()
        return time.perf_counter() - started

    times, costs = list[float](), list[float]()
    for round_number in range(ROUNDS):
        queries = list({words(number + SEARCHES * round_number): None for number in range(SEARCHES * 2)})[:SEARCHES]
        before = cpu_seconds(pid)
        spent = await asyncio.gather(*map(one, queries))
        if round_number:  # the first round fills caches
            times += spent
            costs.append((cpu_seconds(pid) - before) / len(queries))
    return [
        at_most(f"{SEARCHES} searches in {ROWS:,} {name} at once, p95", percentile(times, 95) * 1000, 200, "ms"),
        at_most("... processor of the server for each", statistics.median(costs) * 1000, 5, "ms"),
    ]


def cpu_seconds(pid: int) -> float:
    """CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
