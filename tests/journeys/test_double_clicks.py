"""Requests that cost credits or money, sent many times at once without an `Idempotency-Key`.

**You added a route that takes the header and this test failed?** Add to `MANY` why there are
several effects, or to `ONE` how the effects are counted: there must be exactly one.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from tests.billing.conftest import buy, press, quiet
from tests.emulators.openai import OpenAIEmulator
from tests.helpers.server import Hortus, ended, serve
from tests.journeys.test_repeats import CASES, PUBLIC

WHY = {"reason": "The test asks"}
ASKED = "the caller asks for each: a program sends many at once, and a finger its `Idempotency-Key`"
UNPAID = "an order costs nothing until it is paid, and `checkout` and `topup` are limited by the hour"
CREDENTIAL = "it costs nothing; what it makes is listed and can be removed"
MANY = {
    **dict.fromkeys(PUBLIC, "it costs nothing; codes and sign-ins have limits of their own"),
    **dict.fromkeys(("create_key", "rotate_key", "totp_setup", "totp_confirm", "totp_recovery_codes"), CREDENTIAL),
    **dict.fromkeys(("passkey_register", "add_identifier", "create_room", "upload"), CREDENTIAL),
    **dict.fromkeys(("generate_text", "enhance_prompt", "generate_image", "edit_image", "generate_video"), ASKED),
    "send_message": "every message is one; `tests/chat/test_rooms.py` holds what follows a pending reply",
    **dict.fromkeys(("subscribe", "top_up"), UNPAID),
    **dict.fromkeys(("admin_make_coupons", "admin_publish_plan", "admin_publish_pack", "admin_give_credits"), ASKED),
}


@dataclass
class Shop:
    hortus: Hortus
    vendor: OpenAIEmulator

    async def count(self, query: str, **values: Any) -> int:
        async with self.hortus.database.snapshot() as tx:
            return int((await tx.execute(text(query), values)).scalar_one())


Send = Callable[[], Awaitable[httpx2.Response]]
Click = Callable[[Shop, httpx2.AsyncClient], Awaitable[tuple[Send, Callable[[], Awaitable[int]], str | None]]]
"""Prepares a request. Returns functions that send it and count its effects, and the error code of the rest."""


def _retry(path: str) -> Click:
    async def prepare(shop: Shop, client: httpx2.AsyncClient) -> Any:
        shop.vendor.delay = 60.0
        made = (await client.post("/api/image/generate", json={"prompt": "Kite"})).json()
        assert (await client.post(f"/api/generations/{made['id']}/cancel")).status_code == 200

        async def count() -> int:
            return await shop.count("SELECT count(*) FROM generations WHERE retry_of = :id", id=made["id"])

        return (lambda: client.post(path.format(made["id"]))), count, "retry_running"

    return prepare


async def _said(shop: Shop, client: httpx2.AsyncClient) -> tuple[str, dict[str, Any]]:
    room = (await client.post("/api/chatroom", json={"title": "Mine"})).json()["id"]
    sent = (await client.post(f"/api/chatroom/{room}/message", json={"content": "Hello"})).json()
    await ended(client, sent["generation_id"])
    shop.vendor.delay = 60.0
    return f"/api/chatroom/{room}/message", sent


async def _regenerate(shop: Shop, client: httpx2.AsyncClient) -> Any:
    path, sent = await _said(shop, client)

    async def count() -> int:
        query = "SELECT count(*) FROM messages WHERE parent_id = :id"
        return await shop.count(query, id=sent["message"]["id"]) - 1

    return (lambda: client.post(f"{path}/{sent['reply']['id']}/regenerate")), count, "reply_pending"


async def _edit(shop: Shop, client: httpx2.AsyncClient) -> Any:
    path, sent = await _said(shop, client)

    async def count() -> int:
        return await shop.count("SELECT count(*) FROM messages WHERE content = 'Better'")

    change = {"content": "Better"}
    return (lambda: client.patch(f"{path}/{sent['message']['id']}", json=change)), count, "reply_pending"


async def _redeem(shop: Shop, client: httpx2.AsyncClient) -> Any:
    admin = await shop.hortus.staff("admin")
    body = {"kind": "credit", "credits": "5", "name": "Gift", "limit_total": 9, **WHY}
    code = (await admin.post("/api/admin/coupons", json=body)).json()["items"][0]["code"]

    async def count() -> int:
        return await shop.count("SELECT count(*) FROM coupon_redemptions")

    return (lambda: client.post("/api/payment/redeem", json={"code": code})), count, None


def _subscription(path: str, body: Any, after: str) -> Click:
    async def prepare(shop: Shop, client: httpx2.AsyncClient) -> Any:
        await press(client, await buy(client), "pay")
        await quiet(shop.hortus)
        if path.endswith("resume"):
            assert (await client.post("/api/payment/subscription/cancel", json={})).status_code == 200

        async def count() -> int:
            await quiet(shop.hortus)
            return await shop.count(after)

        method = "PUT" if path.endswith("update") else "POST"
        return (lambda: client.request(method, path, json=body)), count, None

    return prepare


async def _export(shop: Shop, client: httpx2.AsyncClient) -> Any:
    async def count() -> int:
        return await shop.count("SELECT count(*) FROM data_exports")

    return (lambda: client.post("/api/user/data-export")), count, None


async def _refund(shop: Shop, client: httpx2.AsyncClient) -> Any:
    await press(client, await buy(client, "/api/payment/topup", pack="small"), "pay")
    await quiet(shop.hortus)
    admin = await shop.hortus.staff("admin")
    user_id = client.tokens["user"]["id"]
    found = (await admin.get("/api/admin/payments", params={"user_id": user_id})).json()["items"]

    async def count() -> int:
        await quiet(shop.hortus)
        return await shop.count("SELECT count(*) FROM refunds")

    return (lambda: admin.post(f"/api/admin/payments/{found[0]['id']}/refund", json=WHY)), count, None


YEARLY = {"plan": "pro", "interval": "year", "confirm": True}
PAYMENTS = "SELECT count(*) - 1 FROM payments"
ONE: dict[str, Click] = {
    "retry": _retry("/api/generations/{}/retry"),
    "video_retry": _retry("/api/video/retry/{}"),
    "regenerate": _regenerate,
    "edit_message": _edit,
    "redeem": _redeem,
    "update_subscription": _subscription("/api/payment/subscription/update", YEARLY, PAYMENTS),
    "cancel_subscription": _subscription(
        "/api/payment/subscription/cancel", {}, "SELECT count(*) FROM subscriptions WHERE cancels_at_period_end"
    ),
    "resume_subscription": _subscription(
        "/api/payment/subscription/resume",
        None,
        "SELECT count(*) FROM subscriptions WHERE NOT cancels_at_period_end AND status = 'active'",
    ),
    "request_data_export": _export,
    "admin_refund_payment": _refund,
}


@pytest.fixture
async def shop(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    async with OpenAIEmulator() as vendor:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{vendor.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-emulated")
        monkeypatch.setenv("OPENAI_TEXT_MODEL", "house-writer")
        monkeypatch.setenv("OPENAI_IMAGE_MODEL", "house-painter")
        async with serve(database_url, tmp_path, knows_its_port=True) as hortus:
            yield Shop(hortus, vendor)
            vendor.delay = 0.0


def test_every_route_with_a_key_is_listed():
    assert set(ONE) | set(MANY) == set(CASES)
    assert not set(ONE) & set(MANY)


@pytest.mark.parametrize("name", ONE)
async def test_twenty_at_once_are_one(shop: Shop, name: str):
    client = await shop.hortus.customer()
    send, count, refused = await ONE[name](shop, client)
    answers = await asyncio.gather(*(send() for _ in range(20)))
    assert await count() == 1
    good = [answer for answer in answers if answer.status_code < 300]
    assert good
    assert all(answer.status_code in (200, 202, 409) for answer in answers), [answer.text for answer in answers]
    if refused is None:
        return
    assert len(good) == 1
    others = [answer.json() for answer in answers if answer.status_code == 409]
    made = good[0].json()
    wanted = {made.get("generation_id") or made["id"]}
    assert {each["code"] for each in others} == {refused}
    assert {each["generation_id"] for each in others} == wanted
    await client.post(f"/api/generations/{wanted.pop()}/cancel")
