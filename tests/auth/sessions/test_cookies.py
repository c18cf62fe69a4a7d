"""Browsers: tokens in cookies that no script reads, and nothing that another website could make them do."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.helpers.server import PASSWORD, Hortus, serve

STUDIO = "https://studio.example.com"
BY_COOKIE = {"Hortus-Session": "cookie"}
PROFILE = "/api/user/profile"


@pytest.fixture
def server_options() -> dict[str, Any]:
    return {"frontend_base_url": f"{STUDIO}/app"}


async def browser(hortus: Hortus) -> httpx2.AsyncClient:
    """Signed in by cookie; it has no other right."""
    client = hortus.anonymous()
    body = {"email": "a@example.com", "password": PASSWORD, "accept_terms": True}
    answer = await client.post("/api/auth/register", json=body, headers=BY_COOKIE)
    assert answer.status_code == 201, answer.text
    assert (answer.json()["access_token"], answer.json()["refresh_token"]) == ("", "")
    assert answer.json()["user"]["email"] == "a@example.com"
    return client


async def rename(client: httpx2.AsyncClient, **headers: str) -> tuple[int, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await client.put(PROFILE, json={"name": "Asha"}, headers=named)
    return answer.status_code, answer.json().get("code", "")


async def test_a_browser_reads_changes_refreshes_and_signs_out(hortus: Hortus):
    client = await browser(hortus)
    assert (await client.get("/api/user/me")).status_code == 200
    assert (await rename(client, **BY_COOKIE))[0] == 200
    first = client.cookies["hortus_refresh"]
    answers = await asyncio.gather(*(client.post("/api/auth/refresh", headers=BY_COOKIE) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["refresh_token"] for answer in answers} == {""}
    assert client.cookies["hortus_refresh"] != first
    assert (await client.get("/api/user/me")).status_code == 200
    kept = dict(client.cookies)
    gone = await client.post("/api/auth/logout", headers=BY_COOKIE)
    assert gone.status_code == 204
    assert sum("Max-Age=0" in sent for sent in gone.headers.get_list("set-cookie")) == 2
    thief = hortus.anonymous()
    thief.cookies.update(kept)
    assert (await thief.get("/api/user/me")).status_code == 401
    assert (await thief.post("/api/auth/refresh", headers=BY_COOKIE)).json()["code"] == "bad_refresh_token"


async def test_the_cookies_are_closed_to_scripts_and_to_other_sites(hortus: Hortus):
    body = {"email": "a@example.com", "password": PASSWORD, "accept_terms": True}
    sent = (await hortus.anonymous().post("/api/auth/register", json=body, headers=BY_COOKIE)).headers
    made = {line.partition("=")[0]: set(line.split("; ")) for line in sent.get_list("set-cookie")}
    assert set(made) == {"hortus_access", "hortus_refresh", "hortus_device"}
    for attributes in made.values():
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= attributes
    assert sent["cache-control"] == "no-store"


async def test_behind_https_they_are_bound_to_this_host(database_url: str, tmp_path: Path):
    async with serve(database_url, tmp_path, public_url="https://hortus.example.com") as hortus:
        body = {"email": "a@example.com", "password": PASSWORD, "accept_terms": True}
        answer = await hortus.anonymous().post("/api/auth/register", json=body, headers=BY_COOKIE)
        lines = answer.headers.get_list("set-cookie")
        pairs = dict(line.partition(";")[0].split("=", 1) for line in lines)
        assert set(pairs) == {"__Host-hortus_access", "__Host-hortus_refresh", "__Host-hortus_device"}
        assert all("Secure" in line.split("; ") and "Domain" not in line for line in lines)
        planted = {"Cookie": f"hortus_access={pairs['__Host-hortus_access']}"}
        assert (await hortus.anonymous().get("/api/user/me", headers=planted)).status_code == 401
        own = {"Cookie": f"__Host-hortus_access={pairs['__Host-hortus_access']}"}
        assert (await hortus.anonymous().get("/api/user/me", headers=own)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Hortus_Session": "Cookie"},
        {"Hortus_Session": "cookie", "Origin": "https://evil.example"},
        {"Hortus_Session": "cookie", "Origin": "null"},
        {"Hortus_Session": "cookie", "Origin": "https://studio.example.com.evil.example"},
        {"Hortus_Session": "cookie", "Origin": "http://studio.example.com"},
        {"Hortus_Session": "cookie", "Origin": "https://studio.example.com:444"},
        {"Hortus_Session": "cookie", "Sec_Fetch_Site": "cross-site"},
        {"Hortus_Session": "cookie", "Sec_Fetch_Site": "same-site"},
        {"Origin": STUDIO, "Sec_Fetch_Site": "same-site"},
    ],
)
async def test_what_another_website_could_send_changes_nothing(hortus: Hortus, headers: dict[str, str]):
    client = await browser(hortus)
    assert await rename(client, **headers) == (403, "cross_site_request")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    for path in ("/api/auth/refresh", "/api/auth/logout"):
        answer = await client.post(path, headers=named)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site_request"), path
    assert (await client.get(PROFILE)).json()["name"] is None


async def test_what_our_pages_send_is_taken(hortus: Hortus):
    client = await browser(hortus)
    for headers in (
        BY_COOKIE,
        {**BY_COOKIE, "Origin": STUDIO, "Sec_Fetch_Site": "same-site"},
        {**BY_COOKIE, "Origin": hortus.url, "Sec_Fetch_Site": "same-origin"},
        {**BY_COOKIE, "Sec_Fetch_Site": "none"},
    ):
        assert (await rename(client, **headers))[0] == 200, headers


async def test_two_origins_are_none(hortus: Hortus):
    client = await browser(hortus)
    twice = [("Hortus-Session", "cookie"), ("Origin", STUDIO), ("Origin", "https://evil.example")]
    assert (await client.put(PROFILE, json={"name": "Asha"}, headers=twice)).status_code == 403


async def test_another_website_cannot_sign_a_user_in(hortus: Hortus):
    await browser(hortus)
    body = {"email": "a@example.com", "password": PASSWORD}
    evil = {**BY_COOKIE, "Origin": "https://evil.example"}
    answer = await hortus.anonymous().post("/api/auth/login", json=body, headers=evil)
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site_request")
    assert "set-cookie" not in answer.headers


async def test_a_bearer_stands_above_the_cookie_and_needs_no_more(hortus: Hortus):
    client, other = await browser(hortus), await hortus.customer("b@example.com")
    bearer = other.headers["Authorization"]
    me = await client.get("/api/user/me", headers={"Authorization": bearer})
    assert me.json()["email"] == "b@example.com"
    assert (await rename(client, Authorization=bearer, Origin="https://evil.example"))[0] == 200
    for bad in ("Bearer nonsense", "Bearer", "Basic YTpi", ""):
        assert (await client.get("/api/user/me", headers={"Authorization": bad})).status_code == 401, bad


async def test_bearer_clients_get_tokens_and_no_session_in_cookies(hortus: Hortus):
    client = await hortus.customer()
    assert set(client.cookies) == {"hortus_device"}
    assert client.tokens["access_token"]
    missing = await client.post("/api/auth/refresh", json={})
    assert (missing.status_code, missing.json()["errors"][0]["field"]) == (422, "refresh_token")


async def test_only_our_websites_may_ask_from_a_browser(hortus: Hortus):
    ask = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "hortus-session, content-type"}
    good = await hortus.anonymous().options(PROFILE, headers={**ask, "Origin": STUDIO})
    assert good.headers["access-control-allow-origin"] == STUDIO
    assert good.headers["access-control-allow-credentials"] == "true"
    for origin in ("https://evil.example", "null", "https://studio.example.com.evil.example"):
        bad = await hortus.anonymous().options(PROFILE, headers={**ask, "Origin": origin})
        assert "access-control-allow-origin" not in bad.headers
