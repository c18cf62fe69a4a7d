"""Requests with API keys: budgets hold under load, and usage adds up."""

import asyncio
from typing import Any

import httpx2
from tests.emulators.openai import OpenAIEmulator
from tests.helpers.server import Hortus, ended

from hortus import ledger, quotas


async def owner_of(hortus: Hortus) -> httpx2.AsyncClient:
    """A customer whose plan and credit limit nothing."""
    owner = await hortus.customer()
    user_id = owner.tokens["user"]["id"]
    async with hortus.database.transaction() as tx:
        await quotas.set_plan(tx, user_id, name="pro")
        await ledger.grant(tx, user_id, 10**12, reference=f"test:{user_id}", reason="For the test")
    return owner


async def key_of(hortus: Hortus, owner: httpx2.AsyncClient, **budgets: Any) -> httpx2.AsyncClient:
    made = await owner.post("/api/keys", json={"name": "ci", "budgets": budgets})
    assert made.status_code == 201, made.text
    client = hortus.anonymous()
    client.headers["Authorization"] = f"Bearer {made.json()['secret']}"
    return client


async def usage(owner: httpx2.AsyncClient) -> dict[str, Any]:
    return (await owner.get("/api/keys/usage")).json()


async def text_used(owner: httpx2.AsyncClient) -> int:
    windows = (await owner.get("/api/user/usage")).json()["windows"]
    return next(each["used"] for each in windows if (each["kind"], each["window"]) == ("text", "day"))


async def test_100_at_once_on_a_budget_of_ten_let_exactly_ten_through(hortus: Hortus, vendor: OpenAIEmulator):
    owner = await owner_of(hortus)
    client = await key_of(hortus, owner, daily_calls=10)
    body = {"prompt": "A kite"}
    answers = await asyncio.gather(*(client.post("/api/image/generate", json=body) for _ in range(100)))
    assert sorted({answer.status_code for answer in answers}) == [202, 429]
    accepted = [answer.json() for answer in answers if answer.status_code == 202]
    assert len(accepted) == 10
    refused = next(answer for answer in answers if answer.status_code == 429)
    problem = refused.json()
    assert refused.headers["content-type"] == "application/problem+json"
    assert int(refused.headers["retry-after"]) == problem["retry_after"] > 0
    assert {name: problem[name] for name in ("code", "status", "budget", "window", "limit", "used")} == {
        "code": "key_budget_exceeded", "status": 429, "budget": "calls", "window": "day", "limit": 10, "used": 10
    }  # fmt: skip
    for each in accepted:
        assert (await ended(owner, each["id"]))["status"] == "succeeded"
    (shown,) = (await usage(owner))["items"]
    assert (shown["calls"], shown["failures"]) == (10, 0)
    assert int(shown["credits"]) == 10 * int(accepted[0]["price_credits"])
    assert shown["budgets"][0] | {"resets_at": ""} == {
        "kind": "calls", "window": "day", "limit": 10, "used": 10, "remaining": 0, "resets_at": ""
    }  # fmt: skip
    assert len(shown["days"]) == 30
    windows = (await owner.get("/api/user/usage")).json()["windows"]
    assert max(each["used"] for each in windows if each["kind"] == "image") == 10  # the refused took no quota


async def test_failed_work_gives_the_budget_back_and_stays_in_the_history(hortus: Hortus, vendor: OpenAIEmulator):
    owner = await owner_of(hortus)
    client = await key_of(hortus, owner, monthly_calls=1)
    vendor.fail("bad_request", times=1, path="/v1/chat/completions")
    body = {"prompt": "A kite"}
    failed = await client.post("/api/text/generate", json=body)
    assert failed.status_code in (422, 502), failed.text
    (shown,) = (await usage(owner))["items"]
    assert (shown["calls"], shown["failures"], shown["credits"]) == (1, 1, "0")
    assert (await client.post("/api/text/generate", json=body)).status_code == 200
    refused = await client.post("/api/text/generate", json=body)
    assert (refused.status_code, refused.json()["code"]) == (429, "key_budget_exceeded")
    assert refused.json()["window"] == "month"
    assert (await owner.post("/api/text/generate", json=body)).status_code == 200  # only the key is full
    assert await text_used(owner) == 2


async def test_a_repeat_counts_once_and_an_unpaid_request_not_at_all(hortus: Hortus, vendor: OpenAIEmulator):
    owner = await owner_of(hortus)
    client = await key_of(hortus, owner, daily_calls=2)
    body, once = {"prompt": "A kite"}, {"Idempotency-Key": "k"}
    repeats = await asyncio.gather(*(client.post("/api/text/generate", json=body, headers=once) for _ in range(5)))
    assert {answer.status_code for answer in repeats} == {200}
    assert (await usage(owner))["calls"] == 1
    poor = await hortus.customer()
    user_id = poor.tokens["user"]["id"]
    async with hortus.database.transaction() as tx:
        await quotas.set_plan(tx, user_id, name="pro")
        await ledger.grant(tx, user_id, 5_000_000, reference=f"test:{user_id}", reason="For the test")
        room = (await ledger.balance(tx, user_id)).available // 2_000_000
    client = await key_of(hortus, poor, daily_calls=1000)
    answers = await asyncio.gather(*(client.post("/api/image/generate", json=body) for _ in range(30)))
    accepted = [answer.json() for answer in answers if answer.status_code == 202]
    assert sum(answer.status_code == 402 for answer in answers) == 30 - room
    assert [each["price_credits"] for each in accepted] == ["2000000"] * room
    (shown,) = (await usage(poor))["items"]
    assert (shown["calls"], shown["budgets"][0]["used"], shown["credits"]) == (room, room, str(room * 2_000_000))
    for each in accepted:
        await ended(poor, each["id"])


async def test_a_budget_of_credits_and_of_chat(hortus: Hortus, vendor: OpenAIEmulator):
    owner = await owner_of(hortus)
    price = int(
        (await owner.post("/api/generations/quote", json={"kind": "image", "prompt": "A kite"})).json()["price_credits"]
    )
    client = await key_of(hortus, owner, daily_credits=str(price * 2 + price // 2))
    codes = [(await client.post("/api/image/generate", json={"prompt": "A kite"})).status_code for _ in range(3)]
    assert codes == [202, 202, 429]
    chats = await key_of(hortus, owner, daily_calls=1)
    room = (await chats.post("/api/chatroom", json={"title": "Room"})).json()["id"]
    path = f"/api/chatroom/{room}/message"
    assert (await chats.post(path, json={"content": "Hello"})).status_code == 202
    refused = await chats.post(path, json={"content": "Hello"})
    assert (refused.status_code, refused.json()["code"]) == (429, "key_budget_exceeded")
    messages = (await owner.get(f"/api/chatroom/{room}")).json()["messages"]
    assert len(messages) == 2  # refused messages are not stored
