"""Devices are known again; the owner hears of a new one, once."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import time_machine
from sqlalchemy import text
from tests.helpers.server import PASSWORD, Hortus, serve

from hortus.accounts.devices import remember_device, sweep_devices
from hortus.accounts.user_agent import device_name
from hortus.core import clock
from hortus.core.db import Database

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:{0}) Gecko/20100101 Firefox/{0}"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605 Version/26.0 Mobile/15E Safari/604.1"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX.format("150.0"), "Firefox on Linux"),
        (SAFARI, "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537 Chrome/150.0 Safari/537 Edg/150.0", "Edge on Windows"),
        ("curl/8.5.0", "curl"),
        ("hortus-sdk", "hortus-sdk"),
        ("Visit https://evil.example to keep your account", "an unknown device"),
        ("evil.example/1.0", "an unknown device"),
        ("Mozilla/5.0 evil.example", "an unknown device"),
        ("", "an unknown device"),
    ],
)
def test_a_device_is_named_in_our_words_only(agent: str, name: str):
    assert device_name(agent) == name


@pytest.fixture
def server_options() -> dict[str, Any]:
    return {"trusted_proxies": "127.0.0.1"}


async def login(client: httpx2.AsyncClient, agent: str, address: str) -> str:
    headers = {"User-Agent": agent, "X-Forwarded-For": address}
    body = {"email": "a@example.com", "password": PASSWORD}
    answer = await client.post("/api/auth/login", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


async def mails(hortus: Hortus) -> int:
    async with hortus.database.snapshot() as tx:
        return (await tx.execute(text("SELECT count(*) FROM tasks WHERE name = 'senders.mail'"))).scalar_one()


async def registered(hortus: Hortus) -> httpx2.AsyncClient:
    client = hortus.anonymous()
    headers = {"User-Agent": FIREFOX.format("150.0"), "X-Forwarded-For": "203.0.113.5"}
    body = {"email": "a@example.com", "password": PASSWORD, "accept_terms": True, "name": "Asha"}
    answer = await client.post("/api/auth/register", json=body, headers=headers)
    assert answer.status_code == 201
    client.tokens = answer.json()
    async with asyncio.timeout(30):
        while not await mails(hortus):  # the one that verifies the address is written in the background
            await asyncio.sleep(0.02)
    return client


async def test_only_a_device_not_seen_before_is_told_of(hortus: Hortus, capfd: pytest.CaptureFixture[str]):
    client = await registered(hortus)
    before = await mails(hortus)
    await login(client, FIREFOX.format("150.0"), "198.51.100.1")  # the same device on its way
    await login(hortus.anonymous(), FIREFOX.format("151.0"), "198.51.100.1")  # no cookie, but the same place
    assert await mails(hortus) == before
    capfd.readouterr()
    await login(hortus.anonymous(), SAFARI, "2001:db8::7")
    assert await mails(hortus) == before + 1
    await login(hortus.anonymous(), SAFARI, "2001:db8::8")  # the same /64
    assert await mails(hortus) == before + 1
    said = ""
    async with asyncio.timeout(20):
        while "+----" not in said:
            said += capfd.readouterr().out
            await asyncio.sleep(0.05)
    for part in ("mail to a@example.com", "Hello Asha", "Safari on iPhone", "2001:db8::7", "UTC"):
        assert part in said


async def test_a_refused_sign_in_sends_no_notice(hortus: Hortus):
    await registered(hortus)
    before = await mails(hortus)
    body = {"email": "a@example.com", "password": "wrong"}
    answer = await hortus.anonymous().post("/api/auth/login", json=body, headers={"X-Forwarded-For": "198.51.100.9"})
    assert answer.status_code == 401
    assert await mails(hortus) == before
    assert "set-cookie" not in answer.headers


async def test_sessions_show_device_address_and_last_use(hortus: Hortus):
    client = await registered(hortus)
    token = await login(client, SAFARI, "198.51.100.7")
    on_its_way = await hortus.anonymous().post(
        "/api/auth/refresh",
        json={"refresh_token": client.tokens["refresh_token"]},
        headers={"X-Forwarded-For": "198.51.100.99"},
    )
    assert on_its_way.status_code == 200
    listed = await client.get("/api/user/sessions", headers={"Authorization": f"Bearer {token}"})
    first = listed.json()["items"][0]
    assert (first["device"], first["device_name"], first["address"]) == (SAFARI, "Safari on iPhone", "198.51.100.7")
    assert first["current"]
    assert listed.json()["items"][1]["address"] == "198.51.100.99"
    assert first["last_used_at"].endswith("Z")


async def test_the_cookie_is_http_only_and_forged_ones_are_ignored(hortus: Hortus):
    client = await registered(hortus)
    good = client.cookies["hortus_device"]
    for forged in (good[:-2] + "AA", good.partition(".")[0], "x." + "A" * 43, "é.é", "", "." + good):
        answer = await hortus.anonymous().post(
            "/api/auth/login",
            json={"email": "a@example.com", "password": PASSWORD},
            headers={"Cookie": f"hortus_device={forged}".encode(), "User-Agent": SAFARI, "X-Forwarded-For": "::9"},
        )
        assert answer.status_code == 200
        sent = answer.headers["set-cookie"]
        assert sent.partition(";")[0] != f"hortus_device={good}"
        assert "HttpOnly" in sent
        assert "SameSite=Lax" in sent
    again = await client.post("/api/auth/login", json={"email": "a@example.com", "password": PASSWORD})
    assert again.headers["set-cookie"].partition(";")[0] == f"hortus_device={good}"


async def test_behind_https_no_neighbour_can_plant_it(database_url: str, tmp_path: Path):
    async with serve(database_url, tmp_path, public_url="https://hortus.example.com") as hortus:
        body = {"email": "a@example.com", "password": PASSWORD, "accept_terms": True}
        sent = (await hortus.anonymous().post("/api/auth/register", json=body)).headers["set-cookie"]
    assert sent.startswith("__Host-hortus_device=")
    assert {"Secure", "Path=/", "HttpOnly"} <= set(sent.split("; "))
    assert "Domain" not in sent


async def test_ten_sign_ins_at_once_are_one_surprise(hortus: Hortus):
    await registered(hortus)
    before = await mails(hortus)
    await asyncio.gather(*(login(hortus.anonymous(), SAFARI, "198.51.100.7") for _ in range(10)))
    assert await mails(hortus) == before + 1


USER = text(
    "INSERT INTO users (id, role, status, marketing_consent, created_at, updated_at) "
    "VALUES (:id, 'user', 'active', false, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP)"
)


async def user(database: Database) -> str:
    async with database.transaction() as tx:
        await tx.execute(USER, {"id": "u"})
    return "u"


async def test_notices_are_limited_and_old_devices_are_deleted(database: Database):
    user_id = await user(database)
    surprises = 0
    for number in range(30):
        async with database.transaction() as tx:
            seen = await remember_device(tx, user_id, device_id=None, name="curl", network=f"10.0.0.{number}")
            surprises += seen.surprising
    assert surprises == 9  # the first is nobody's surprise
    with time_machine.travel(clock.now() + timedelta(seconds=181 * 24 * 3600), tick=True):
        async with database.transaction() as tx:
            assert await sweep_devices(tx, limit=20) == 20
            assert await sweep_devices(tx, limit=20) == 10
