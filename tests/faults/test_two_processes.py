"""Two server processes on one database and one Redis act as one, and go on when Redis does not."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from redis.asyncio import Redis as Client
from sqlalchemy import text
from tests.emulators.openai import OpenAIEmulator
from tests.faults.server_process import ServerProcess
from tests.helpers.server import PASSWORD
from tests.helpers.valkey import Valkey

from hortus import accounts, ledger
from hortus.core.cache import RedisCacheVersions
from hortus.core.db import Database
from hortus.core.redis import Redis

WORDS = tuple(f"word{number} " for number in range(40))
HANGS = 5.0
"""No ordinary request may take this long, whatever Redis does, on a machine that is busy with other tests."""
RECOVERS = 10.0


class Pair:
    """Two servers, `a` and `b`, and customers that call either."""

    def __init__(self, a: str, b: str, vendor: OpenAIEmulator) -> None:
        self.a, self.b, self.vendor = a, b, vendor
        self._client = httpx2.AsyncClient(timeout=60)
        self._number = 0

    async def call(self, method: str, url: str, token: str | None = None, **more: Any) -> httpx2.Response:
        """One request that must not hang."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        started = time.monotonic()
        answer = await self._client.request(method, url, headers={**headers, **more.pop("headers", {})}, **more)
        assert time.monotonic() - started < HANGS, url
        assert answer.status_code < 500, answer.text
        return answer

    async def customer(self) -> tuple[str, str, str]:
        """A new customer's e-mail, token and id."""
        self._number += 1
        email = f"u{self._number}@example.com"
        body = {"email": email, "password": PASSWORD, "accept_terms": True}
        tokens = (await self.call("POST", f"{self.a}/api/auth/register", json=body)).json()
        return email, tokens["access_token"], tokens["user"]["id"]

    async def login(self, email: str, at: str) -> str:
        """A second session."""
        body = {"email": email, "password": PASSWORD}
        return (await self.call("POST", f"{at}/api/auth/login", json=body)).json()["access_token"]

    async def me(self, at: str, token: str) -> int:
        """The status of a signed-in call."""
        return (await self.call("GET", f"{at}/api/user/me", token)).status_code

    async def close(self) -> None:
        await self._client.aclose()


@asynccontextmanager
async def pair(folder: Path, database_url: str, redis_url: str, **settings: str) -> AsyncIterator[Pair]:
    """Both servers share database, Redis and data folder."""
    async with OpenAIEmulator(reply=WORDS, token_delay=0.05, first_token_delay=0.5) as vendor:
        given = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SECRET_KEY": "k" * 40,
            "OPENAI_BASE_URL": f"{vendor.url}/v1",
            "OPENAI_API_KEY": "sk-emulated",
            "OPENAI_TEXT_MODEL": "house-writer",
            "RATE_LIMITS_ENABLED": "true",
            "RATE_LIMIT_REGISTER": "1000/minute",
            "RATE_LIMIT_LOGIN": "1000/minute",
            **settings,
        }
        async with ServerProcess(folder / "server", **given) as a, ServerProcess(folder / "server", **given) as b:
            both = Pair(a.url, b.url, vendor)
            yield both
            await both.close()


@asynccontextmanager
async def started(both: Pair, token: str) -> AsyncIterator[str]:
    """Start a streamed text at server A. Yields its id."""
    body = {"prompt": "Write", "stream": True, "model": None}
    async with both._client.stream(
        "POST",
        f"{both.a}/api/text/generate",
        json={key: value for key, value in body.items() if value is not None},
        headers={"Authorization": f"Bearer {token}"},
    ) as answer:
        assert answer.status_code == 200, await answer.aread()
        lines = answer.aiter_lines()
        async for line in lines:
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))["generation_id"]
                break
        async for _ in lines:
            pass


async def follow(
    both: Pair, at: str, token: str, generation_id: str, *, after: int = 0, most: int = 10_000
) -> list[tuple[str, int, dict[str, Any]]]:
    """Read (event, id, data) of a generation from a server; disconnects after `most` deltas."""
    found: list[tuple[str, int, dict[str, Any]]] = []
    headers = {"Authorization": f"Bearer {token}", **({"Last-Event-ID": str(after)} if after else {})}
    async with asyncio.timeout(40):
        url = f"{at}/api/generations/{generation_id}/events"
        async with both._client.stream("GET", url, headers=headers) as answer:
            fields: dict[str, str] = {}
            async for line in answer.aiter_lines():
                if line and not line.startswith(":"):
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    found.append((fields["event"], int(fields.get("id", 0)), json.loads(fields["data"])))
                    fields = {}
                    if sum(event == "delta" for event, _, _ in found) >= most:
                        break
    return found


def told(events: list[tuple[str, int, dict[str, Any]]]) -> str:
    """The text of the deltas."""
    return "".join(data["text"] for event, _, data in events if event == "delta")


async def test_two_processes_act_as_one(database_url: str, database: Database, valkey: Valkey, tmp_path: Path):
    async with pair(tmp_path, database_url, valkey.url, RATE_LIMIT_REFRESH="6/minute") as both:
        email, token, _ = await both.customer()

        # A session revoked at A fails at B's next call, although B had it cached.
        for at, other in ((both.a, both.b), (both.b, both.a)):
            second = await both.login(email, at)
            assert [await both.me(other, second) for _ in range(3)] == [200] * 3
            assert (await both.call("POST", f"{at}/api/auth/logout", second)).status_code == 204
            assert await both.me(other, second) == 401
        assert await both.me(both.b, token) == 200

        # So does a user suspended by a third process.
        _, suspended, suspended_id = await both.customer()
        assert [await both.me(at, suspended) for at in (both.a, both.b)] == [200, 200]
        await suspend(database, valkey.url, suspended_id)
        assert [await both.me(at, suspended) for at in (both.a, both.b)] == [403, 403]

        # A list of chatrooms cached at B is invalidated by a write at A.
        rooms = f"{both.b}/api/chatroom"
        assert (await both.call("GET", rooms, token)).json()["items"] == []
        assert (await both.call("GET", rooms, token)).headers["X-Cache"] == "hit"
        await both.call("POST", f"{both.a}/api/chatroom", token, json={"title": "Garden"})
        assert [room["title"] for room in (await both.call("GET", rooms, token)).json()["items"]] == ["Garden"]

        # One limit for both.
        tries = [await refused(both, at) for at in (both.a, both.b) * 3]
        assert [answer.status_code for answer in tries] == [401] * 6
        assert [int(answer.headers["RateLimit-Remaining"]) for answer in tries] == [5, 4, 3, 2, 1, 0]
        for at in (both.a, both.b):
            over = await refused(both, at)
            assert (over.status_code, over.json()["code"]) == (429, "rate_limited")
            assert 0 < int(over.headers["Retry-After"]) <= 60

        # B streams what A generates; a client that reconnects at either receives each event exactly once.
        async with started(both, token) as generation_id:
            whole, part = await asyncio.gather(
                follow(both, both.b, token, generation_id), follow(both, both.b, token, generation_id, most=5)
            )
            rest = [await follow(both, at, token, generation_id, after=part[-1][1]) for at in (both.a, both.b)]
        assert told(whole) == "".join(WORDS)
        assert len([event for event in whole if event[0] == "delta"]) >= 10
        assert whole[-1][0] == "done"
        assert whole[-1][2]["text"].strip() == "".join(WORDS).strip()
        assert part[-1][1] > 0
        assert all(end[-1][0] == "done" for end in rest)


async def test_redis_stops_hangs_forgets_and_comes_back(
    database_url: str, database: Database, valkey: Valkey, tmp_path: Path
):
    async with pair(tmp_path, database_url, valkey.url) as both:
        email, token, _ = await both.customer()
        async with started(both, token) as generation_id:
            following = asyncio.create_task(follow(both, both.b, token, generation_id))
            await asyncio.sleep(0.3)
            await asyncio.to_thread(valkey.stop)
            assert [await both.me(at, token) for at in (both.a, both.b) * 3] == [200] * 6
            await revoked_everywhere(both, email)
            await asyncio.to_thread(valkey.start)
            events = await following
        assert events[-1][0] == "done"
        assert events[-1][2]["text"].strip() == "".join(WORDS).strip()
        await tells_again(both, token)
        await revoked_everywhere(both, email)

        async with Client.from_url(valkey.url) as client:
            await client.flushall()
            await revoked_everywhere(both, email)
            await client.execute_command("CLIENT", "PAUSE", 3000, "ALL")
        assert [await both.me(at, token) for at in (both.a, both.b) * 3] == [200] * 6
        await revoked_everywhere(both, email)
        await tells_again(both, token)
    async with database.snapshot() as tx:
        assert await ledger.check_invariants(tx) == []
        charged = await tx.execute(text("SELECT count(*) FROM credit_reservations WHERE status = 'open'"))
        assert charged.scalar_one() == 0


@pytest.mark.parametrize("ends", [False, True])
async def test_a_cut_off_process_waits_until_others_no_longer_trust(ends: bool, valkey: Valkey):
    """One process loses Redis: it acknowledges a change only after the caches of the others have expired."""
    cut_off = Redis("redis://127.0.0.1:1/0")
    await cut_off.open()
    mine = RedisCacheVersions(cut_off)
    started = time.monotonic()
    await mine.invalidate(("session:1",), mine.lease if ends else 0)
    assert (time.monotonic() - started >= mine.lease) is ends
    assert await mine.current(("session:1",)) is None
    await cut_off.close()


async def revoked_everywhere(both: Pair, email: str) -> None:
    """A revocation at one server is effective at the other's next call."""
    for at, other in ((both.a, both.b), (both.b, both.a)):
        second = await both.login(email, at)
        assert await both.me(other, second) == 200
        assert (await both.call("POST", f"{at}/api/auth/logout", second)).status_code == 204
        assert await both.me(other, second) == 401


async def tells_again(both: Pair, token: str) -> None:
    """Within ten seconds B streams deltas of A again."""
    deadline = time.monotonic() + RECOVERS
    while True:
        async with started(both, token) as generation_id:
            if told(await follow(both, both.b, token, generation_id)) == "".join(WORDS):
                return
        assert time.monotonic() < deadline


async def refused(both: Pair, at: str) -> httpx2.Response:
    """One try of a limited public route."""
    return await both.call("POST", f"{at}/api/auth/refresh", json={"refresh_token": "x" * 43})


async def suspend(database: Database, redis_url: str, user_id: str) -> None:
    """Suspend a user from another process."""
    redis = Redis(redis_url)
    await redis.open()
    database.context.cache_versions = RedisCacheVersions(redis)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(redis.close)
        tx = await stack.enter_async_context(database.transaction())
        await tx.execute(text("UPDATE users SET status = 'suspended' WHERE id = :id"), {"id": user_id})
        accounts.user_changed(tx, user_id)
