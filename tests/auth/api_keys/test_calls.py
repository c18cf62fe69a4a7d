"""Calling by a key: what it may do, and that whatever ends it ends it at the next call."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import text
from tests.auth.api_keys.conftest import by_key, code_of, make_key
from tests.helpers.server import Hortus

from hortus.auth.api_keys.secret import mint

REASON = {"reason": "For the test of keys"}


async def test_a_key_does_what_its_scopes_say_and_no_more(hortus: Hortus):
    owner = await hortus.customer()
    reads = by_key(hortus, (await make_key(owner, scopes=["usage:read"]))["secret"])
    assert await code_of(reads, "/api/user/usage") == (200, None)
    assert await code_of(reads, "/user/usage/") == (200, None)
    for path in ("/api/user/me", "/api/generations", "/api/chatroom", "/api/upload/files", "/api/models"):
        assert await code_of(reads, path) == (403, "scope_missing"), path
    refused = (await reads.get("/api/user/me")).json()
    assert (refused["needs"], refused["scopes"]) == (["profile:read"], ["usage:read"])
    chats = by_key(hortus, (await make_key(owner, scopes=["chat"]))["secret"])
    assert (await chats.post("/api/chatroom", json={"title": "By key"})).status_code == 201
    assert [room["title"] for room in (await owner.get("/api/chatroom")).json()["items"]] == ["By key"]


async def test_a_key_for_one_kind_of_work_sees_that_kind_alone(hortus: Hortus):
    owner = await hortus.customer()
    made = (await owner.post("/api/text/generate", json={"prompt": "A kite"})).json()
    path = f"/api/generations/{made['id']}"
    for scope, expected in (("text", 200), ("generations", 200), ("image", 403), ("video", 403)):
        client = by_key(hortus, (await make_key(owner, scopes=[scope]))["secret"])
        assert (await client.get(path)).status_code == expected, scope
        assert (await client.get(f"/api/video/details/{made['id']}")).status_code == 403, scope
    reads = by_key(hortus, (await make_key(owner, scopes=["video"]))["secret"])
    assert (await reads.delete(path)).json()["code"] == "scope_missing"


async def test_a_key_is_good_from_its_addresses_alone(hortus: Hortus):
    owner = await hortus.customer()
    here = await make_key(owner, addresses=["127.0.0.0/8", "2001:db8::/32"])
    there = await make_key(owner, addresses=["192.0.2.0/24"])
    assert await code_of(by_key(hortus, here["secret"])) == (200, None)
    assert await code_of(by_key(hortus, there["secret"])) == (403, "address_not_allowed")
    forged = by_key(hortus, there["secret"])
    forged.headers["X-Forwarded-For"] = "192.0.2.7"
    assert await code_of(forged) == (403, "address_not_allowed")
    await owner.patch(f"/api/keys/{there['id']}", json={"addresses": None})
    assert await code_of(by_key(hortus, there["secret"])) == (200, None)


async def test_mistyped_and_unknown_keys_are_refused(hortus: Hortus):
    secret = (await make_key(await hortus.customer()))["secret"]
    mistyped = await by_key(hortus, secret[:-1] + ("0" if secret[-1] != "0" else "1")).get("/api/models")
    assert (mistyped.status_code, mistyped.json()["code"]) == (401, "bad_api_key")
    assert "mistyped" in mistyped.json()["detail"]
    unknown = await by_key(hortus, mint()).get("/api/models")
    assert (unknown.status_code, unknown.json()["code"]) == (401, "bad_api_key")
    assert "mistyped" not in unknown.json()["detail"]


@pytest.mark.parametrize("how", ["removed", "switched off", "owner suspended", "expired", "owner signed out"])
async def test_what_ends_a_key_ends_it_at_the_next_call(hortus: Hortus, how: str):
    owner = await hortus.customer()
    end = datetime.now(UTC) + timedelta(hours=1)
    made = await make_key(owner, expires_at=end.isoformat())
    client = by_key(hortus, made["secret"])
    for _ in range(3):  # by now it is remembered
        assert await code_of(client) == (200, None)
    path, expected = f"/api/keys/{made['id']}", (401, "bad_api_key")
    if how == "removed":
        assert (await owner.delete(path)).status_code == 204
    elif how == "switched off":
        assert (await owner.patch(path, json={"enabled": False})).json()["enabled"] is False
        assert await code_of(client) == expected
        await owner.patch(path, json={"enabled": True})
        expected = (200, None)
    elif how == "owner suspended":
        admin = await hortus.staff("admin")
        user = owner.tokens["user"]["id"]
        assert (await admin.post(f"/api/admin/users/{user}/suspend", json=REASON)).status_code == 200
        expected = (403, "account_suspended")
    elif how == "owner signed out":  # a key is no session: it stays
        assert (await owner.post("/api/auth/logout")).status_code == 204
        expected = (200, None)
    with time_machine.travel(time.time() + (3601 if how == "expired" else 0), tick=True):
        assert await code_of(client) == expected


async def test_a_change_that_meets_a_call_is_never_remembered_as_it_was(hortus: Hortus):
    owner = await hortus.customer()
    for _ in range(5):
        made = await make_key(owner)
        client = by_key(hortus, made["secret"])
        *_, gone = await asyncio.gather(*(code_of(client) for _ in range(6)), owner.delete(f"/api/keys/{made['id']}"))
        assert gone.status_code == 204
        assert await code_of(client) == (401, "bad_api_key")


async def test_a_key_is_limited_to_its_models(hortus: Hortus):
    owner = await hortus.customer()
    offered = [model["id"] for model in (await owner.get("/api/models")).json()["items"] if "text" in model["kinds"]]
    allowed = by_key(hortus, (await make_key(owner, models=[offered[0]]))["secret"])
    other = by_key(hortus, (await make_key(owner, models=["no-such-model"]))["secret"])
    asked = {"prompt": "A kite"}
    made = await allowed.post("/api/text/generate", json=asked)
    assert (made.status_code, made.json()["model"]) == (200, offered[0])
    for body in (asked, {**asked, "model": offered[0]}):
        refused = await other.post("/api/text/generate", json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "model_not_allowed")
        assert refused.json()["models"] == ["no-such-model"]
    quoted = await other.post("/api/generations/quote", json={"kind": "text", **asked})
    assert quoted.json()["code"] == "model_not_allowed"
    room = (await owner.post("/api/chatroom", json={"title": "Room"})).json()["id"]
    said = await other.post(f"/api/chatroom/{room}/message", json={"content": "Hi"})
    assert said.json()["code"] == "model_not_allowed"


async def test_the_last_use_is_written_once_a_minute(hortus: Hortus):
    owner = await hortus.customer()
    made = await make_key(owner)
    client = by_key(hortus, made["secret"])

    async def last_used() -> str | None:
        return (await owner.get("/api/keys")).json()["items"][0]["last_used_at"]

    assert await last_used() is None
    await asyncio.gather(*(code_of(client) for _ in range(20)))
    async with asyncio.timeout(10):
        while (first := await last_used()) is None:
            await asyncio.sleep(0.02)
    async with hortus.database.snapshot() as tx:
        assert (await tx.execute(text("SELECT last_used_address FROM api_keys"))).scalar_one() == "127.0.0.1"
    await code_of(client)
    assert await last_used() == first
