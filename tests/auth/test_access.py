"""Revoked access applies to streams, keys, links and caches."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from tests.auth.api_keys.conftest import by_key, make_key
from tests.emulators.openai import OpenAIEmulator
from tests.files import draw
from tests.helpers.mailbox import Mailbox
from tests.helpers.server import PASSWORD, Hortus

from hortus import files
from hortus.accounts import Principal
from hortus.auth import enforce_stream_access
from hortus.core import clock
from hortus.core.db import Database
from hortus.core.events import Bus
from hortus.core.web.sse import Streams

NEW = "quite another passphrase 9"
SOON = 20.0


@pytest.fixture
def vendor_options() -> dict[str, Any]:
    return {"reply": ("word ",) * 2000, "token_delay": 0.05}


@pytest.fixture
def server_options(vendor: OpenAIEmulator) -> dict[str, Any]:
    return {"principal_cache_seconds": 300.0}


@pytest.fixture
def mailbox(hortus: Hortus) -> Mailbox:
    mailbox = Mailbox(real=True)
    mailbox.attach(hortus)
    return mailbox


async def room_of(client: httpx2.AsyncClient) -> str:
    return (await client.post("/api/chatroom", json={"title": "Room"})).json()["id"]


@asynccontextmanager
async def listening(
    client: httpx2.AsyncClient, path: str, method: str = "GET", **more: Any
) -> AsyncIterator[asyncio.Task[None]]:
    """A task that is done when the stream has ended; it has begun."""
    begun = asyncio.Event()

    async def read() -> None:
        async with client.stream(method, path, timeout=None, **more) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream"), await answer.aread()
            with contextlib.suppress(httpx2.TransportError):
                async for _ in answer.aiter_lines():
                    begun.set()

    reading = asyncio.create_task(read())
    try:
        async with asyncio.timeout(SOON):
            await begun.wait()
        yield reading
    finally:
        reading.cancel()
        await asyncio.wait((reading,))


async def ends(stream: "asyncio.Task[None]") -> bool:
    await asyncio.wait((stream,), timeout=SOON)
    return stream.done()


# Event streams ----------------------------------------------------------------


async def test_every_kind_of_stream_ends_with_its_session(hortus: Hortus):
    client = await hortus.customer()
    room = await room_of(client)
    text_body = {"prompt": "Write", "stream": True}
    async with (
        listening(client, f"/api/chatroom/{room}/events") as of_room,
        listening(client, "/api/text/generate", "POST", json=text_body) as of_text,
    ):
        made = (await client.get("/api/generations")).json()["items"][0]
        assert made["status"] == "running"
        async with listening(client, f"/api/generations/{made['id']}/events") as of_generation:
            assert (await client.post("/api/auth/logout")).status_code == 204
            assert all([await ends(each) for each in (of_room, of_text, of_generation)])


async def disable(owner: httpx2.AsyncClient, key_id: str) -> None:
    assert (await owner.patch(f"/api/keys/{key_id}", json={"enabled": False})).status_code == 200


async def take_its_scope(owner: httpx2.AsyncClient, key_id: str) -> None:
    assert (await owner.patch(f"/api/keys/{key_id}", json={"scopes": ["text"]})).status_code == 200


async def move_its_address(owner: httpx2.AsyncClient, key_id: str) -> None:
    assert (await owner.patch(f"/api/keys/{key_id}", json={"addresses": ["192.0.2.1"]})).status_code == 200


async def let_it_expire(owner: httpx2.AsyncClient, key_id: str) -> None:
    soon = (clock.now() + timedelta(seconds=1)).isoformat()
    assert (await owner.patch(f"/api/keys/{key_id}", json={"expires_at": soon})).status_code == 200


@pytest.mark.parametrize("way", [disable, take_its_scope, move_its_address, let_it_expire])
async def test_a_stream_ends_when_its_key_may_no_longer_read(
    hortus: Hortus, way: Callable[[httpx2.AsyncClient, str], Awaitable[None]]
):
    owner = await hortus.customer()
    made, room = await make_key(owner, scopes=["chat"]), await room_of(owner)
    path = f"/api/chatroom/{room}/events"
    async with listening(by_key(hortus, made["secret"]), path) as of_key, listening(owner, path) as of_owner:
        await way(owner, made["id"])
        assert await ends(of_key)
        assert not of_owner.done()


async def test_a_stream_ends_when_its_session_expires_and_outlives_its_access_token(hortus: Hortus):
    client = await hortus.customer()
    async with listening(client, f"/api/chatroom/{await room_of(client)}/events") as stream:
        async with hortus.database.transaction() as tx:
            over = text("UPDATE sessions SET expires_at = created_at WHERE user_id = :id")
            await tx.execute(over, {"id": client.tokens["user"]["id"]})
        assert await ends(stream)


async def test_streams_end_if_access_cannot_be_verified():
    """A process that is cut off from its database fails closed."""
    nowhere, streams = Database("postgresql://u@127.0.0.1:1/none"), Streams()
    present = asyncio.timeout(None)
    async with enforce_stream_access(streams, nowhere, Bus(), give_up=2.0), asyncio.timeout(SOON):
        with pytest.raises(TimeoutError):
            async with present:
                streams.add(present, Principal("user", "session", "user"), resumable=True)
                await asyncio.Event().wait()
    assert present.expired()
    await nowhere.close()


# API keys ---------------------------------------------------------------------


async def verified(hortus: Hortus, mailbox: Mailbox, email: str) -> httpx2.AsyncClient:
    client = await hortus.customer(email)
    answer = await client.post("/api/auth/verify-email", json={"code": await mailbox.code(email)})
    assert answer.status_code == 200, answer.text
    return client


async def works(hortus: Hortus, secret: str) -> bool:
    return (await by_key(hortus, secret).get("/api/models")).status_code == 200


async def test_a_password_reset_ends_every_key_and_tells_the_owner(hortus: Hortus, mailbox: Mailbox):
    email = "reset@example.com"
    owner = await verified(hortus, mailbox, email)
    secrets = [(await make_key(owner))["secret"] for _ in range(2)]
    assert all([await works(hortus, each) for each in secrets])
    await owner.post("/api/auth/request-password-reset", json={"email": email})
    body = {"email": email, "code": await mailbox.code(email, 2), "new_password": NEW}
    answer = await hortus.anonymous().post("/api/auth/reset-password", json=body)
    assert (answer.status_code, answer.json()["sessions_ended"], answer.json()["keys_ended"]) == (200, 1, 2)
    assert not any([await works(hortus, each) for each in secrets])
    assert "API keys were removed as well (2)" in await mailbox.arrived(email, 3)


@pytest.mark.parametrize("revoke", [None, False, True])
async def test_a_password_change_ends_keys_when_asked_to(hortus: Hortus, mailbox: Mailbox, revoke: bool | None):
    email = "change@example.com"
    owner = await verified(hortus, mailbox, email)
    secret = (await make_key(owner))["secret"]
    body = {"current_password": PASSWORD, "new_password": NEW} | ({} if revoke is None else {"revoke_api_keys": revoke})
    answer = await owner.post("/api/auth/change-password", json=body)
    assert (answer.status_code, answer.json()["keys_ended"]) == (200, int(bool(revoke)))
    assert await works(hortus, secret) is not bool(revoke)
    assert ("API keys" in await mailbox.arrived(email, 2)) is bool(revoke)


# Links and caches ---------------------------------------------------------------


async def test_links_to_files_end_with_the_account(hortus: Hortus, mailbox: Mailbox):
    owner = await verified(hortus, mailbox, "links@example.com")
    answer = await owner.post("/api/upload/file", files={"file": ("a.png", draw.noise("PNG", (40, 30)), "image/png")})
    url = answer.json()["url"]
    anyone = hortus.anonymous()
    shown = await anyone.get(url)
    assert (shown.status_code, shown.headers["cache-control"]) == (200, "private, max-age=60")
    root = await hortus.staff("admin")
    for verb, status in (("suspend", 404), ("unsuspend", 200)):
        user = f"/api/admin/users/{owner.tokens['user']['id']}/{verb}"  # type: ignore[attr-defined]
        assert (await root.post(user, json={"reason": "Test"})).status_code == 200
        assert (await anyone.get(url)).status_code == status
    staff = files.link(hortus.settings, answer.json()["id"], staff=True)
    again = {"email": "links@example.com", "password": PASSWORD}
    token = (await anyone.post("/api/auth/login", json=again)).json()["access_token"]
    left = await anyone.delete("/api/user/me", headers={"Authorization": f"Bearer {token}"})
    assert (left.status_code, left.headers["clear-site-data"]) == (202, '"cache", "storage"')
    assert (await anyone.get(url)).status_code == 404
    assert (await anyone.get(staff)).status_code == 200  # what a suspended account made is still moderated


async def test_links_to_archives_end_with_their_session_and_are_never_kept(hortus: Hortus, mailbox: Mailbox):
    owner = await verified(hortus, mailbox, "archive@example.com")
    assert (await owner.post("/api/user/data-export")).status_code == 202
    async with asyncio.timeout(SOON):
        while (found := (await owner.get("/api/user/data-export")).json())["url"] is None:
            await asyncio.sleep(0.05)
    anyone = hortus.anonymous()
    sent = await anyone.get(found["url"])
    assert (sent.status_code, sent.headers["cache-control"]) == (200, "private, no-store")
    other = await hortus.customer()
    moved = re.sub(r"session=[^&]+", f"session={await session_of(other)}", found["url"])
    assert (await anyone.get(moved)).status_code == 404
    gone = await owner.delete(f"/api/user/sessions/{await session_of(owner)}")
    assert (gone.status_code, gone.headers["clear-site-data"]) == (204, '"cache", "storage"')
    assert (await anyone.get(found["url"])).status_code == 404


async def session_of(client: httpx2.AsyncClient) -> str:
    sessions = (await client.get("/api/user/sessions")).json()["items"]
    return next(each["id"] for each in sessions if each["current"])


async def test_signing_out_clears_what_the_browser_kept(hortus: Hortus):
    client = await hortus.customer()
    gone = await client.post("/api/auth/logout")
    assert (gone.status_code, gone.headers["clear-site-data"]) == (204, '"cache", "storage"')
