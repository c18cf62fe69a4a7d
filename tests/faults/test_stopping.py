"""Cancellation at random times, in every way: the charge equals the published rule exactly.

The rule: nothing before the first content, and the window is given back; afterwards the input and what was delivered
by usage, never above the hold. The estimate where the vendor reports no usage: a token is three bytes of UTF-8.
"""

import asyncio
import contextlib
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from tests.emulators.openai import OpenAIEmulator, openai_settings
from tests.faults.audit import all_ended
from tests.faults.clients import customers
from tests.faults.cluster import cluster
from tests.helpers.server import events_of, serve

from hortus.core.db import Database
from hortus.generation.tables import Generation
from hortus.quotas.tables import BudgetUsage, QuotaUsage

WORDS = tuple(f"piece{number} " for number in range(30))
WHOLE = "".join(WORDS)
VENDORS_INPUT = 11
"""Input tokens that the emulator always reports."""
PER_CALL, PER_1K_TOKENS = 50_000, 100_000


def tokens_of(text: str) -> int:
    return max(1, -(-len(text.encode()) // 3))


@dataclass
class Stopped:
    """Cancelled generations, and the text that each client received."""

    read: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    ways: Counter[str] = field(default_factory=Counter)


@pytest.fixture
def vendor_options() -> dict[str, Any]:
    return {"reply": WORDS, "token_delay": 0.02, "first_token_delay": 0.2}


async def follow(lines: AsyncIterator[str], stopped: Stopped, started: asyncio.Future[str]) -> None:
    """Record the text of a stream until it ends."""
    block = ""
    async for line in lines:
        block += line + "\n"
        if line:
            continue
        for name, _, data in events_of(block):
            generation_id = data.get("generation_id") or data["id"]
            if not started.done():
                started.set_result(generation_id)
            if name == "delta":
                stopped.read[generation_id] = stopped.read.get(generation_id, "") + data["text"]
        block = ""


async def stream(client: httpx2.AsyncClient, n: int, moment: float, way: str, stopped: Stopped) -> None:
    """Request streamed text and stop it after `moment` seconds: disconnect, cancel or delete."""
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with client.stream("POST", "/api/text/generate", json={"prompt": f"Kite {n}", "stream": True}) as answer:
        assert answer.status_code == 200, await answer.aread()
        reading = asyncio.create_task(follow(answer.aiter_lines(), stopped, started))
        await asyncio.sleep(moment)
        if way == "leave":
            reading.cancel()
        else:
            await end(client, await started, way, stopped)
        with contextlib.suppress(asyncio.CancelledError):
            await reading


async def end(client: httpx2.AsyncClient, generation_id: str, way: str, stopped: Stopped) -> None:
    if way == "delete":
        stopped.deleted.add(generation_id)
        assert (await client.delete(f"/api/generations/{generation_id}")).status_code == 204
    else:
        answer = await client.post(f"/api/generations/{generation_id}/cancel")
        assert answer.status_code in (200, 409), answer.text


async def chat(client: httpx2.AsyncClient, n: int, moment: float, way: str, stopped: Stopped) -> None:
    """Request a reply and stop it: cancel it, delete it, or delete its chatroom."""
    room = (await client.post("/api/chatroom", json={"title": f"Room {n}"})).json()["id"]
    sent = (await client.post(f"/api/chatroom/{room}/message", json={"content": f"Kite {n}"})).json()
    await asyncio.sleep(moment)
    if way == "room":
        assert (await client.delete(f"/api/chatroom/{room}")).status_code == 204
    else:
        await end(client, sent["generation_id"], way, stopped)


async def stop_at_random(clients: list[httpx2.AsyncClient], number: int, rng: random.Random, kinds: Any) -> Stopped:
    stopped = Stopped()

    async def one(n: int) -> None:
        kind, way = kinds[n % len(kinds)]
        stopped.ways[f"{kind.__name__} {way}"] += 1
        await kind(clients[n % len(clients)], n, rng.uniform(0, 1.5), way, stopped)

    for start in range(0, number, 25):
        await asyncio.gather(*(one(n) for n in range(start, min(start + 25, number))))
    return stopped


async def settled_by_the_rule(database: Database, stopped: Stopped) -> Counter[str]:
    """Compare every charge with the rule, to the unit; windows and budgets of keys with what counts."""
    async with database.snapshot() as tx:
        found = list((await tx.execute(select(Generation))).scalars())
        uses = list((await tx.execute(select(QuotaUsage))).scalars())
        budgets = {(row.key_id, row.window): row for row in (await tx.execute(select(BudgetUsage))).scalars()}
    fates: Counter[str] = Counter()
    counted: Counter[tuple[str, str]] = Counter()
    calls: Counter[str] = Counter()
    credits: Counter[str] = Counter()
    for each in found:
        read, usage = stopped.read.get(each.id, ""), each.usage or {}
        if each.status == "succeeded":
            fate, tokens = "whole", VENDORS_INPUT + len(WORDS)
            assert not usage["estimated"]
        elif usage:
            fate = "part"
            assert (each.status, usage["finish"], usage["estimated"]) == ("cancelled", "stopped", True)
            if each.id not in stopped.deleted:
                assert WHOLE.startswith(each.text)
                assert each.text.startswith(read)
                assert usage["output_tokens"] == tokens_of(each.text)
            assert usage["output_tokens"] >= tokens_of(read)
            tokens = usage["input_tokens"] + usage["output_tokens"]
        else:
            fate, tokens = "nothing", None
            assert (each.status, read, each.text) == ("cancelled", "", None)
        rule = 0 if tokens is None else min(each.price, PER_CALL + -(-PER_1K_TOKENS * tokens // 1000))
        assert each.charged == rule, (fate, usage, each.charged, rule)
        fates[fate] += 1
        if fate != "nothing":
            counted[each.user_id, each.kind] += 1
            if each.key_id:
                calls[each.key_id] += 1
                credits[each.key_id] += rule
    for window in ("day", "month"):
        assert {(row.user_id, row.kind): row.used for row in uses if row.window == window and row.used} == counted
    for (key_id, _), row in budgets.items():
        assert (row.calls, row.credits) == (calls[key_id], credits[key_id])
    return fates


async def with_keys(clients: list[httpx2.AsyncClient]) -> None:
    """Give every other customer an API key."""
    for client in clients[::2]:
        made = await client.post("/api/keys", json={"name": "k", "budgets": {"daily_credits": "900000000"}})
        client.headers["Authorization"] = f"Bearer {made.json()['secret']}"


async def test_random_stops_are_charged_by_the_rule(
    vendor: OpenAIEmulator, database_url: str, tmp_path: Path, full: bool, rng: random.Random, record
):
    number = 500 if full else 50
    kinds = [
        (stream, "leave"), (stream, "cancel"), (stream, "leave"), (stream, "delete"),
        (chat, "cancel"), (chat, "room"), (chat, "delete"),
    ]  # fmt: skip
    async with serve(database_url, tmp_path, worker_concurrency=32) as hortus:
        async with customers(hortus.url, hortus.database, 4, timeout=60) as clients:
            await with_keys(clients)
            stopped = await stop_at_random(clients, number, rng, kinds)
            took = await all_ended(hortus.database, number)
        fates = await settled_by_the_rule(hortus.database, stopped)
        assert set(fates) >= ({"whole", "part", "nothing"} if full else {"part"})  # fifty may all come too early
    record("random stops", f"{number} stops, {dict(fates)}, {dict(stopped.ways)}", took)


async def test_replies_made_by_workers_are_charged_by_the_same_rule(
    vendor: OpenAIEmulator,
    database: Database,
    database_url: str,
    tmp_path: Path,
    full: bool,
    rng: random.Random,
    record,
):
    """No Redis: the process that is asked to stop a reply and the one that makes it share the database alone."""
    number = 100 if full else 12
    vendor.token_delay = 0.15
    async with cluster(
        database, database_url, tmp_path, WORKER_CONCURRENCY="16", **openai_settings(vendor)
    ) as processes:
        server = await processes.add("serve")
        await processes.add_workers(1)
        async with customers(server.url, database, 2, timeout=60) as clients:
            await with_keys(clients)
            kinds = [(chat, "cancel"), (chat, "room"), (chat, "delete")]
            stopped = await stop_at_random(clients, number, rng, kinds)
            took = await all_ended(database, number)
        fates = await settled_by_the_rule(database, stopped)
        assert fates["part"]
    record("random stops, workers", f"{number} stops, {dict(fates)}", took)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_stop_whose_worker_is_gone_costs_nothing(
    vendor: OpenAIEmulator, database: Database, database_url: str, tmp_path: Path, number: signal.Signals
):
    """Work that is lost in a crash is free, and nothing is held for it; what a frozen worker adds later is void."""
    vendor.token_delay, vendor.reply = 0.2, WORDS * 20
    async with cluster(database, database_url, tmp_path, **openai_settings(vendor)) as processes:
        server = await processes.add("serve")
        (worker,) = await processes.add_workers(1)
        async with customers(server.url, database, 1, timeout=60) as clients:
            room = (await clients[0].post("/api/chatroom", json={"title": "A"})).json()["id"]
            sent = (await clients[0].post(f"/api/chatroom/{room}/message", json={"content": "Kite"})).json()
            async with asyncio.timeout(30):
                while not vendor.active:
                    await asyncio.sleep(0.05)
            await asyncio.sleep(0.5)
            worker.send(number)
            answer = await clients[0].post(f"/api/generations/{sent['generation_id']}/cancel")
            assert answer.status_code == 200, answer.text
            if number is signal.SIGSTOP:
                worker.send(signal.SIGCONT)
            await all_ended(database, 1)
            async with asyncio.timeout(30):
                while vendor.active:
                    await asyncio.sleep(0.05)
        async with database.snapshot() as tx:
            made = (await tx.execute(select(Generation))).scalar_one()
        assert (made.status, made.charged, made.text) == ("cancelled", 0, None)
        assert made.finished_at is not None
