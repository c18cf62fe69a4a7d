"""Signing up, in and out over HTTP."""

import asyncio

import time_machine
from tests.emulators.openai import OpenAIEmulator
from tests.helpers.server import PASSWORD, Hortus

from hortus import accounts, auth


async def test_the_shape_of_tokens_and_the_profile(hortus: Hortus, vendor: OpenAIEmulator):
    client = await hortus.customer("Asha@Example.COM")
    tokens = client.tokens
    assert set(tokens) == {"user", "access_token", "refresh_token", "token_type", "expires_in", "password_required"}
    assert tokens["user"]["email"] == "asha@example.com"
    assert (tokens["user"]["plan"], tokens["user"]["role"], tokens["expires_in"]) == ("basic", "user", 900)
    me = (await client.get("/user/me/")).json()
    assert me["usage"]["credits"]["available"] == "5000000"
    changed = await client.put("/api/user/profile", json={"name": "Asha"})
    assert changed.json()["name"] == "Asha"
    again = await hortus.anonymous().post(
        "/auth/register", json={"email": "ASHA@example.com", "password": PASSWORD, "accept_terms": True}
    )
    assert (again.status_code, again.json()["code"]) == (409, "email_taken")


async def test_what_registration_refuses(hortus: Hortus, vendor: OpenAIEmulator):
    client = hortus.anonymous()
    good = {"email": "b@example.com", "password": PASSWORD, "accept_terms": True}
    for change, code in (
        ({"password": "password"}, "weak_password"),
        ({"password": "short"}, "invalid_request"),
        ({"email": "not an address"}, "invalid_request"),
        ({"accept_terms": False}, "invalid_request"),
        ({"role": "admin"}, "invalid_request"),
        ({"name": "a\nb"}, "invalid_request"),
    ):
        answer = await client.post("/api/auth/register", json={**good, **change})
        assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_twenty_parallel_registrations_make_one_account(hortus: Hortus, vendor: OpenAIEmulator):
    client = hortus.anonymous()
    body = {"email": "one@example.com", "password": PASSWORD, "accept_terms": True}
    answers = await asyncio.gather(*(client.post("/api/auth/register", json=body) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19


async def test_login_answers_alike_for_unknown_and_wrong_and_works_alike(hortus: Hortus, vendor: OpenAIEmulator):
    await hortus.customer("c@example.com")
    client, pool = hortus.anonymous(), hortus.resources[auth.PasswordPool]
    seen = []
    for email, password in (("c@example.com", "wrong"), ("nobody@example.com", "wrong")):
        before = pool.jobs
        answer = await client.post("/api/auth/login", json={"email": email, "password": password})
        body = {key: value for key, value in answer.json().items() if key != "request_id"}
        seen.append((answer.status_code, body, pool.jobs - before))
    assert seen[0] == seen[1]
    assert seen[0][0] == 401
    good = await client.post("/api/auth/login", json={"email": "C@example.com", "password": PASSWORD})
    assert good.status_code == 200


async def test_refresh_rotates_forgives_a_lost_answer_and_punishes_reuse(hortus: Hortus, vendor: OpenAIEmulator):
    client = await hortus.customer()
    first = client.tokens["refresh_token"]
    answers = await asyncio.gather(
        *(client.post("/api/auth/refresh", json={"refresh_token": first}) for _ in range(20))
    )
    assert {answer.status_code for answer in answers} == {200}
    second = answers[0].json()["refresh_token"]
    assert second != first
    with time_machine.travel(time_machine_now() + 60, tick=True):
        reused = await client.post("/api/auth/refresh", json={"refresh_token": first})
        assert (reused.status_code, reused.json()["code"]) == (401, "refresh_reused")
        dead = await client.post("/api/auth/refresh", json={"refresh_token": second})
        assert (dead.status_code, dead.json()["code"]) == (401, "bad_refresh_token")


def time_machine_now() -> float:
    import time

    return time.time()


async def test_sessions_are_listed_and_revoked_at_once(hortus: Hortus, vendor: OpenAIEmulator):
    one = await hortus.customer("d@example.com")
    two = hortus.anonymous()
    signed_in = (await two.post("/api/auth/login", json={"email": "d@example.com", "password": PASSWORD})).json()
    two.headers["Authorization"] = f"Bearer {signed_in['access_token']}"
    assert (await two.get("/api/user/me")).status_code == 200
    listed = (await one.get("/api/user/sessions")).json()["items"]
    assert [entry["current"] for entry in listed] == [False, True]
    assert (await one.delete("/api/user/sessions")).status_code == 204
    assert (await two.get("/api/user/me")).status_code == 401
    assert (await one.get("/api/user/me")).status_code == 200


async def test_the_setup_token_makes_one_administrator(hortus: Hortus, vendor: OpenAIEmulator):
    async with hortus.database.transaction() as tx:
        token = await accounts.create_setup_token(tx)
    client = hortus.anonymous()

    async def become(number: int):
        body = {"token": token, "email": f"admin{number}@example.com", "password": PASSWORD}
        return await client.post("/api/auth/setup", json=body)

    answers = await asyncio.gather(*(become(number) for number in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] + [403] * 9
    async with hortus.database.transaction() as tx:
        assert await accounts.create_setup_token(tx) is None


async def test_registration_is_limited_by_address(database_url, tmp_path, vendor: OpenAIEmulator):
    from tests.helpers.server import serve

    async with serve(database_url, tmp_path, rate_limits_enabled=True) as hortus:
        client = hortus.anonymous()
        body = {"email": "nobody@example.com", "password": "wrong"}
        answers = [await client.post("/api/auth/login", json=body) for _ in range(12)]
        limited = answers[-1]
        assert (limited.status_code, limited.json()["code"]) == (429, "rate_limited")
        assert int(limited.headers["retry-after"]) > 0
        assert limited.headers["ratelimit-remaining"] == "0"
