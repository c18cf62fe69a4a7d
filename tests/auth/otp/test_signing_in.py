"""Codes sign up and in: one session however many try, and nothing told about who has an account."""

import asyncio
import re
import time

import pytest
import time_machine
from sqlalchemy import text
from tests.helpers.mailbox import Mailbox
from tests.helpers.server import PASSWORD, Hortus

from hortus import accounts, ledger

NUMBER = "+919812345678"


async def rows(hortus: Hortus, query: str, **values) -> list[tuple]:
    async with hortus.database.snapshot() as tx:
        return [tuple(row) for row in (await tx.execute(text(query), values)).all()]


def later(seconds: float):
    return time_machine.travel(time.time() + seconds, tick=True)


async def test_a_new_number_signs_up_at_verify_and_signs_in_again(hortus: Hortus, mailbox: Mailbox):
    client = hortus.anonymous()
    sent = await client.post("/auth/send-otp/", json={"mobile_number": "98123 45678", "purpose": "login"})
    assert sent.status_code == 200, sent.text
    assert sent.json()["expires_in"] == 600
    assert await rows(hortus, "SELECT id FROM users") == []
    code = await mailbox.code(NUMBER)
    assert re.fullmatch(r"\d{6}", code)
    entered = await client.post("/api/auth/verify-otp", json={"mobile_number": NUMBER, "code": code})
    assert entered.status_code == 200, entered.text
    tokens = entered.json()
    assert tokens["user"]["mobile_number"] == NUMBER
    assert tokens["user"]["email"] is None
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    assert (await client.get("/api/user/me")).json()["usage"]["credits"]["available"] == str(ledger.SIGNUP_BONUS)
    again = await client.post("/api/auth/verify-otp", json={"mobile_number": NUMBER, "code": code})
    assert (again.status_code, again.json()["code"]) == (401, "bad_code")
    with later(61):
        assert (await client.post("/auth/send-otp", json={"mobile_number": NUMBER})).status_code == 200
        body = {"mobile_number": NUMBER, "otp": await mailbox.code(NUMBER, 2)}
        second = (await client.post("/auth/verify-otp", json=body)).json()
    assert second["user"]["id"] == tokens["user"]["id"]


async def test_signup_keeps_what_was_said_for_the_code_it_sent(hortus: Hortus, mailbox: Mailbox):
    client = hortus.anonymous()
    body = {"mobile_number": NUMBER, "name": "Asha", "password": PASSWORD, "accept_terms": True}
    answers = [await client.post("/auth/signup", json=body, headers={"Idempotency-Key": "once"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    kept = repr(await rows(hortus, "SELECT pending, digest FROM one_time_codes"))
    assert PASSWORD not in kept
    code = await mailbox.code(NUMBER)
    assert code not in kept
    tokens = (await client.post("/auth/verify-otp", json={"mobile_number": NUMBER, "code": code})).json()
    assert tokens["user"]["name"] == "Asha"
    login = await client.post("/auth/login", json={"mobile_number": NUMBER, "password": PASSWORD})
    assert login.status_code == 200
    assert await rows(hortus, "SELECT pending FROM one_time_codes") == [(None,)]


async def test_a_contested_sign_up_sets_no_password(hortus: Hortus, mailbox: Mailbox):
    attacker, owner = hortus.anonymous(), hortus.anonymous()
    body = {"mobile_number": NUMBER, "name": "Mallory", "password": PASSWORD, "accept_terms": True}
    assert (await attacker.post("/auth/signup", json=body)).status_code == 201
    await mailbox.arrived(NUMBER, 1)
    with later(61):
        assert (await owner.post("/auth/send-otp", json={"mobile_number": NUMBER})).status_code == 200
        code = await mailbox.code(NUMBER, 2)
        tokens = (await owner.post("/auth/verify-otp", json={"mobile_number": NUMBER, "code": code})).json()
        assert tokens["user"]["name"] is None
        login = await attacker.post("/auth/login", json={"mobile_number": NUMBER, "password": PASSWORD})
    assert login.status_code == 401


@pytest.mark.parametrize("way", ["sign_in", "reset_password"])
async def test_a_sign_up_with_a_foreign_address_loses_access_when_its_owner_verifies_it(
    hortus: Hortus, mailbox: Mailbox, way: str
):
    attacker, owner = await hortus.customer("owner@example.com"), hortus.anonymous()
    await mailbox.arrived("owner@example.com", 1)
    if way == "sign_in":
        await owner.post("/auth/send-otp", json={"email": "owner@example.com", "purpose": "login"})
        body = {"email": "owner@example.com", "code": await mailbox.code("owner@example.com", 2)}
        assert (await owner.post("/auth/verify-otp", json=body)).status_code == 200
    else:
        await owner.post("/auth/forgot-password", json={"email": "owner@example.com"})
        code = await mailbox.code("owner@example.com", 2)
        body = {"email": "owner@example.com", "code": code, "new_password": "another passphrase of mine 3"}
        assert (await owner.post("/auth/reset-password", json=body)).status_code == 200
    assert (await attacker.get("/api/user/me")).status_code == 401
    login = await attacker.post("/auth/login", json={"email": "owner@example.com", "password": PASSWORD})
    assert login.status_code == 401


async def test_a_signed_in_user_keeps_everything_when_verifying_an_address(hortus: Hortus, mailbox: Mailbox):
    client = await hortus.customer("mine@example.com")
    await mailbox.arrived("mine@example.com", 1)
    await client.post("/auth/send-otp", json={"email": "mine@example.com", "purpose": "login"})
    body = {"email": "mine@example.com", "code": await mailbox.code("mine@example.com", 2)}
    assert (await client.post("/auth/verify-otp", json=body)).status_code == 200
    assert (await client.get("/api/user/me")).status_code == 200
    login = await client.post("/auth/login", json={"email": "mine@example.com", "password": PASSWORD})
    assert login.status_code == 200


async def test_twenty_right_codes_at_once_make_one_session(hortus: Hortus, mailbox: Mailbox):
    client = hortus.anonymous()
    await client.post("/auth/send-otp", json={"mobile_number": NUMBER})
    body = {"mobile_number": NUMBER, "code": await mailbox.code(NUMBER)}
    answers = await asyncio.gather(*(client.post("/auth/verify-otp", json=body) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 19
    assert len(await rows(hortus, "SELECT id FROM sessions")) == 1
    assert len(await rows(hortus, "SELECT id FROM users")) == 1


async def test_five_tries_counted_even_at_once_then_not_even_the_right_one(hortus: Hortus, mailbox: Mailbox):
    client = hortus.anonymous()
    await client.post("/auth/send-otp", json={"mobile_number": NUMBER})
    code = await mailbox.code(NUMBER)
    wrong = f"{(int(code) + 1) % 10**6:06}"
    tries = [client.post("/auth/verify-otp", json={"mobile_number": NUMBER, "code": wrong}) for _ in range(20)]
    assert {answer.status_code for answer in await asyncio.gather(*tries)} == {401}
    assert await rows(hortus, "SELECT tries FROM one_time_codes") == [(5,)]
    assert await rows(hortus, "SELECT wrong FROM wrong_codes") == [(5,)]
    right = await client.post("/auth/verify-otp", json={"mobile_number": NUMBER, "code": code})
    assert (right.status_code, right.json()["code"]) == (401, "bad_code")


async def test_four_wrong_ones_leave_the_right_one_good(hortus: Hortus, mailbox: Mailbox):
    client = hortus.anonymous()
    await client.post("/auth/send-otp", json={"mobile_number": NUMBER})
    code = await mailbox.code(NUMBER)
    for step in range(1, 5):
        wrong = f"{(int(code) + step) % 10**6:06}"
        await client.post("/auth/verify-otp", json={"mobile_number": NUMBER, "code": wrong})
    assert (await client.post("/auth/verify-otp", json={"mobile_number": NUMBER, "code": code})).status_code == 200


async def test_a_code_is_good_for_ten_minutes_and_the_newest_alone(hortus: Hortus, mailbox: Mailbox):
    client = hortus.anonymous()
    await client.post("/auth/send-otp", json={"mobile_number": NUMBER})
    first = await mailbox.code(NUMBER)
    soon = await client.post("/auth/send-otp", json={"mobile_number": NUMBER})
    assert (soon.status_code, soon.json()["code"]) == (429, "rate_limited")
    assert 0 < soon.json()["retry_after"] <= 60
    assert int(soon.headers["retry-after"]) == soon.json()["retry_after"]
    with later(61):
        await client.post("/auth/send-otp", json={"mobile_number": NUMBER})
        second = await mailbox.code(NUMBER, 2)
        old = await client.post("/auth/verify-otp", json={"mobile_number": NUMBER, "code": first})
        assert old.status_code == (401 if first != second else 200)
    with later(61 + 601):
        late = await client.post("/auth/verify-otp", json={"mobile_number": NUMBER, "code": second})
        assert late.status_code == 401


async def test_a_code_serves_its_own_purpose_only(hortus: Hortus, mailbox: Mailbox):
    client = hortus.anonymous()
    await hortus.customer("p@example.com")
    body = {"email": "p@example.com", "code": await mailbox.code("p@example.com")}
    assert (await client.post("/auth/verify-otp", json=body)).status_code == 401
    for purpose in ("verify", "reset_password"):
        answer = await client.post("/auth/verify-otp", json={**body, "purpose": purpose})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert (await client.post("/auth/verify-email", json=body)).status_code == 200


async def test_caps_per_target_hold_across_purposes(hortus: Hortus, mailbox: Mailbox):
    client = hortus.anonymous()
    statuses = []
    for step in range(4):
        with later(61 * step):
            for purpose in ("login", "reset_password"):
                answer = await client.post("/auth/send-otp", json={"mobile_number": NUMBER, "purpose": purpose})
                statuses.append(answer.status_code)
    assert statuses == [200] * 5 + [429] * 3


async def test_what_is_no_target_or_no_code_is_refused(hortus: Hortus, mailbox: Mailbox):
    client = hortus.anonymous()
    for body in (
        {},
        {"email": "a@example.com", "mobile_number": NUMBER},
        {"mobile_number": "12"},
        {"mobile_number": "+1 800 234 5678"},
        {"mobile_number": "\x00+919812345678"},
        {"mobile_number": NUMBER, "purpose": "opera"},
        {"mobile_number": NUMBER, "purpose": 7},
        {"email": "not an address"},
    ):
        answer = await client.post("/auth/send-otp", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), body
    for code in ("", "12345", "abcdef", "١٢٣٤٥", "12x456", "1" * 50, 123456, None):
        answer = await client.post("/auth/verify-otp", json={"mobile_number": NUMBER, "code": code})
        assert answer.status_code == 422, code
    assert await rows(hortus, "SELECT target FROM one_time_codes") == []


async def test_a_suspended_user_is_told_so_after_the_right_code_only(hortus: Hortus, mailbox: Mailbox):
    client = await hortus.customer("late@example.com")
    email = client.tokens["user"]["email"]
    await mailbox.arrived(email, 1)
    await client.post("/auth/send-otp", json={"email": email})
    code = await mailbox.code(email, 2)
    async with hortus.database.transaction() as tx:
        await tx.execute(text("UPDATE users SET status = 'suspended'"))
    wrong = await client.post("/auth/verify-otp", json={"email": email, "code": f"{(int(code) + 1) % 10**6:06}"})
    assert wrong.json()["code"] == "bad_code"
    right = await client.post("/auth/verify-otp", json={"email": email, "code": code})
    assert (right.status_code, right.json()["code"]) == (403, "account_suspended")


async def test_the_second_factor_is_asked_for_after_a_code(hortus: Hortus, mailbox: Mailbox):
    import pyotp

    client = await hortus.customer("two@example.com")
    await mailbox.arrived("two@example.com", 1)
    setup = (await client.post("/api/auth/totp/setup")).json()
    secret = setup.get("secret") or re.search(r"secret=([A-Z2-7]+)", str(setup))[1]
    confirmed = await client.post("/api/auth/totp/confirm", json={"code": pyotp.TOTP(secret).now()})
    assert confirmed.status_code == 200, confirmed.text
    async with hortus.database.transaction() as tx:
        await tx.execute(text("UPDATE identifiers SET verified_at = created_at"))
    stranger = hortus.anonymous()
    await stranger.post("/auth/send-otp", json={"email": "two@example.com"})
    code = await mailbox.code("two@example.com", 2)
    answer = (await stranger.post("/auth/verify-otp", json={"email": "two@example.com", "code": code})).json()
    assert answer["second_factor_required"] is True
    assert "access_token" not in answer
    assert accounts


async def test_a_code_signs_in_as_it_was_pasted(hortus: Hortus, mailbox: Mailbox):
    client, number = hortus.anonymous(), "+919812345670"
    await client.post("/auth/send-otp", json={"mobile_number": f"\u202a{number}\u202c"})
    arabic = "".join(chr(0x0660 + int(digit)) for digit in await mailbox.code(number))
    pasted = f"\u00a0{arabic[:3]}\u200b {arabic[3:]}.\ufeff"
    answer = await client.post("/auth/verify-otp", json={"mobile_number": number, "code": pasted, "accept_terms": True})
    assert answer.status_code == 200, answer.text
