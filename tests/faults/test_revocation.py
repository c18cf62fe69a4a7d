"""Revocation reaches open event streams: ten ways to lose access, on one process and on two, without Redis, with it,
and while it is down. Each affected stream ends within five seconds of the response, on every process."""

import asyncio
import contextlib
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from tests.emulators.openai import OpenAIEmulator
from tests.faults.server_process import ServerProcess
from tests.helpers.server import PASSWORD
from tests.helpers.valkey import Valkey

from hortus.core.db import Database

WITHIN = 5.0
"""Seconds after the answer in which every stream must have ended."""
NEW = "quite another passphrase 9"
ARRIVES = 30.0


class Stream:
    """An open event stream: when its last byte came, and whether it has ended."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self.ended_at = 0.0
        self.seen: list[str] = []
        self._task = asyncio.create_task(self._read(lines))

    async def _read(self, lines: AsyncIterator[str]) -> None:
        with contextlib.suppress(httpx2.TransportError):
            async for line in lines:
                self.seen.append(line)
        self.ended_at = time.monotonic()

    async def saw(self, what: str) -> None:
        """Wait until a line holds `what`."""
        async with asyncio.timeout(ARRIVES):
            while not any(what in line for line in self.seen):
                assert not self.ended_at, self.seen
                await asyncio.sleep(0.02)

    async def end(self) -> float:
        """The moment at which the last byte had come."""
        await asyncio.wait((self._task,), timeout=ARRIVES)
        return self.ended_at or float("inf")


@dataclass
class Customer:
    """An account with two sessions and an API key; the first session is the one that loses access."""

    email: str
    id: str
    session: str
    session_id: str
    other: str
    key: str
    key_id: str
    room: str


class Servers:
    """One or two processes: customers call the first and open streams at all."""

    def __init__(self, *children: ServerProcess) -> None:
        self.urls = [child.url for child in children]
        self._children = children
        self.client = httpx2.AsyncClient(timeout=60, limits=httpx2.Limits(max_connections=300))
        self.admin = ""
        self._stack = contextlib.AsyncExitStack()

    async def call(self, method: str, path: str, token: str | None, **more: Any) -> httpx2.Response:
        """A request to the first process that must succeed."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = await self.client.request(method, f"{self.urls[0]}/api{path}", headers=headers, **more)
        assert answer.status_code < 300, (path, answer.text)
        return answer

    async def customer(self) -> Customer:
        """A new account; its mail address is verified."""
        email = f"u{secrets.token_hex(6)}@example.com"
        body = {"email": email, "password": PASSWORD}
        first = (await self.call("POST", "/auth/register", None, json=body | {"accept_terms": True})).json()
        await self.call(
            "POST", "/auth/verify-email", first["access_token"], json={"code": await self.mailed(email, "Confirm")}
        )
        other = (await self.call("POST", "/auth/login", None, json=body)).json()["access_token"]
        session = first["access_token"]
        sessions = (await self.call("GET", "/user/sessions", session)).json()["items"]
        key = (await self.call("POST", "/keys", session, json={"name": "ci", "scopes": ["chat", "text"]})).json()
        room = (await self.call("POST", "/chatroom", session, json={"title": "Room"})).json()["id"]
        current = next(each["id"] for each in sessions if each["current"])
        return Customer(email, first["user"]["id"], session, current, other, key["secret"], key["id"], room)

    async def mailed(self, email: str, about: str) -> str:
        """The code in the mail to that address whose subject names `about`; any process may have sent it."""
        mail = re.compile(rf"(?s)mail to {re.escape(email)} [^\n]*\n\|[^\n]*{about}.*?\b(\d{{6,10}})\b")
        async with asyncio.timeout(ARRIVES):
            while True:
                for child in self._children:
                    if found := mail.search(child.printed):
                        return found[1]
                await asyncio.sleep(0.05)

    async def listen(self, at: str, token: str, path: str, method: str = "GET", **more: Any) -> Stream:
        """An open stream."""
        request = self.client.build_request(
            method, f"{at}/api{path}", headers={"Authorization": f"Bearer {token}"}, timeout=None, **more
        )
        answer = await self.client.send(request, stream=True)
        self._stack.push_async_callback(answer.aclose)
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        return Stream(answer.aiter_lines())

    async def close(self) -> None:
        """Close every stream."""
        await self._stack.aclose()
        await self.client.aclose()


# Ten ways to lose access: each takes away the first session, or the key where it says so ------------------------


async def logout(servers: Servers, who: Customer) -> None:
    await servers.call("POST", "/auth/logout", who.session)


async def one_revoked(servers: Servers, who: Customer) -> None:
    await servers.call("DELETE", f"/user/sessions/{who.session_id}", who.other)


async def others_revoked(servers: Servers, who: Customer) -> None:
    await servers.call("DELETE", "/user/sessions", who.other)


async def password_changed(servers: Servers, who: Customer) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW}
    await servers.call("POST", "/auth/change-password", who.other, json=body)


async def password_reset(servers: Servers, who: Customer) -> None:
    await servers.call("POST", "/auth/request-password-reset", None, json={"email": who.email})
    body = {"email": who.email, "code": await servers.mailed(who.email, "new password"), "new_password": NEW}
    await servers.call("POST", "/auth/reset-password", None, json=body)


async def key_removed(servers: Servers, who: Customer) -> None:
    await servers.call("DELETE", f"/keys/{who.key_id}", who.other)


async def key_rotated_out(servers: Servers, who: Customer) -> None:
    await servers.call("POST", f"/keys/{who.key_id}/rotate", who.other, json={"overlap_hours": 0})


async def suspended(servers: Servers, who: Customer) -> None:
    await servers.call("POST", f"/admin/users/{who.id}/suspend", servers.admin, json={"reason": "Test"})


async def role_changed(servers: Servers, who: Customer) -> None:
    body = {"role": "support", "reason": "Test"}
    await servers.call("POST", f"/admin/users/{who.id}/role", servers.admin, json=body)


async def deleted(servers: Servers, who: Customer) -> None:
    await servers.call("DELETE", "/user/me", who.other)


Way = Callable[[Servers, Customer], Awaitable[None]]
SESSION, OTHER, KEY = "session", "other", "key"
WAYS: dict[Way, tuple[str, ...]] = {
    logout: (SESSION,),
    one_revoked: (SESSION,),
    others_revoked: (SESSION,),
    password_changed: (SESSION,),
    password_reset: (SESSION, OTHER, KEY),
    key_removed: (KEY,),
    key_rotated_out: (KEY,),
    suspended: (SESSION, OTHER, KEY),
    role_changed: (SESSION, OTHER, KEY),
    deleted: (SESSION, OTHER, KEY),
}
"""The ways to lose access, and the credentials whose streams each ends; other streams stay open."""


async def lose(servers: Servers, way: Way) -> float:
    """Revoke access. Returns the seconds until the last stream ended, over all processes."""
    who = await servers.customer()
    streams = {
        credential: [await servers.listen(url, token, f"/chatroom/{who.room}/events") for url in servers.urls]
        for credential, token in ((SESSION, who.session), (OTHER, who.other), (KEY, who.key))
    }
    for stream in (each for listed in streams.values() for each in listed):
        await stream.saw("keep-alive")
    await way(servers, who)
    answered = time.monotonic()
    lost = [each for credential in WAYS[way] for each in streams[credential]]
    slowest = max([await each.end() for each in lost]) - answered
    assert slowest < WITHIN, (way.__name__, slowest)
    kept = [each for credential, listed in streams.items() if credential not in WAYS[way] for each in listed]
    if kept:
        await servers.call("POST", f"/chatroom/{who.room}/message", who.other, json={"content": "Hello"})
        for each in kept:
            await each.saw("event: done")
    return max(slowest, 0.0)


@asynccontextmanager
async def servers_on(shape: str, folder: Path, database_url: str, valkey: Valkey | None) -> AsyncIterator[Servers]:
    async with contextlib.AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(OpenAIEmulator(reply=("Hello ",) * 5, token_delay=0.02))
        given = {
            "DATABASE_URL": database_url,
            "SECRET_KEY": "k" * 40,
            "OPENAI_BASE_URL": f"{vendor.url}/v1",
            "OPENAI_API_KEY": "sk-emulated",
            "OPENAI_TEXT_MODEL": "house-writer",
            **({"REDIS_URL": valkey.url} if valkey is not None else {}),
        }
        number = 1 if shape == "alone" else 2
        children = [await stack.enter_async_context(ServerProcess(folder / "server", **given)) for _ in range(number)]
        servers = Servers(*children)
        stack.push_async_callback(servers.close)
        root = await servers.customer()
        database = Database(database_url)
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE users SET role = 'admin' WHERE id = :id"), {"id": root.id})
        await database.close()
        body = {"email": root.email, "password": PASSWORD}
        servers.admin = (await servers.call("POST", "/auth/login", None, json=body)).json()["access_token"]
        yield servers


@pytest.mark.parametrize(
    ("database_url", "shape"),
    [("sqlite", "alone"), ("postgresql", "two"), ("postgresql", "two-redis"), ("postgresql", "two-redis-killed")],
    indirect=["database_url"],
)
async def test_every_way_to_lose_access_ends_its_streams_on_every_process(
    database_url: str,
    shape: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    record: Callable[[str, str, float | None], None],
):
    valkey = request.getfixturevalue("valkey") if "redis" in shape else None
    async with servers_on(shape, tmp_path, database_url, valkey) as servers:
        if shape == "two-redis-killed":
            await asyncio.to_thread(valkey.stop)
        took = await asyncio.gather(*(lose(servers, way) for way in WAYS))
    for way, seconds in zip(WAYS, took, strict=True):
        record(f"access lost by {way.__name__}, {shape}", "last byte of its streams", seconds)
