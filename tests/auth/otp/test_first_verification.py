"""The first verification of an address revokes all access from before it and notifies its owner.

An attacker signs up with the address of another user, sets up credentials, and waits for the owner to verify it.
"""

import asyncio
import re
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from tests.auth.mfa.authenticator_app import set_up
from tests.auth.passkeys.authenticator import Authenticator, asked, make_passkey, send
from tests.helpers.mailbox import Mailbox
from tests.helpers.server import PASSWORD, Hortus

EMAIL, NEW = "owner@example.com", "another passphrase of mine 3"


async def by_link(hortus: Hortus, mailbox: Mailbox) -> httpx2.Response:
    return await hortus.anonymous().post("/api/auth/verify-email", json={"token": await mailbox.token(EMAIL)})


async def by_code(hortus: Hortus, mailbox: Mailbox) -> httpx2.Response:
    return await hortus.anonymous().post(
        "/api/auth/verify-email", json={"email": EMAIL, "code": await mailbox.code(EMAIL)}
    )


async def second_code(mailbox: Mailbox) -> str:
    """The code of the second mail that has one; mails of other kinds come in between."""
    async with asyncio.timeout(20):
        while len(found := [code[0] for mail in mailbox.to(EMAIL) if (code := re.search(r"\b\d{6,10}\b", mail))]) < 2:
            await asyncio.sleep(0.01)
    return str(found[1])


async def by_sign_in_code(hortus: Hortus, mailbox: Mailbox) -> httpx2.Response:
    owner = hortus.anonymous()
    await mailbox.arrived(EMAIL, 1)
    await owner.post("/api/auth/send-otp", json={"email": EMAIL})
    return await owner.post("/api/auth/verify-otp", json={"email": EMAIL, "code": await second_code(mailbox)})


async def by_reset(hortus: Hortus, mailbox: Mailbox) -> httpx2.Response:
    owner = hortus.anonymous()
    await mailbox.arrived(EMAIL, 1)
    await owner.post("/api/auth/forgot-password", json={"email": EMAIL})
    body = {"email": EMAIL, "code": await second_code(mailbox), "new_password": NEW}
    return await owner.post("/api/auth/reset-password", json=body)


VERIFICATIONS = [by_link, by_code, by_sign_in_code, by_reset]


@pytest.mark.parametrize("verify", VERIFICATIONS)
async def test_access_from_before_the_first_verification_is_revoked(hortus: Hortus, mailbox: Mailbox, verify: Any):
    attacker, device = await hortus.customer(EMAIL), Authenticator()
    key = (await attacker.post("/api/keys", json={"name": "later"})).json()["secret"]
    await make_passkey(attacker, device)
    await set_up(attacker)
    login = {"email": EMAIL, "password": PASSWORD}
    challenge = (await attacker.post("/api/auth/login", json=login)).json()["challenge"]
    answer = await verify(hortus, mailbox)
    assert answer.status_code == 200, answer.text
    by_key = hortus.anonymous()
    by_key.headers["Authorization"] = f"Bearer {key}"
    visitor = hortus.anonymous()
    signed = await send(visitor, "login", device.get(await asked(visitor, "login")))
    body = {"challenge": challenge, "code": "000000"}
    statuses = [
        (await attacker.get("/api/user/me")).status_code,
        (
            await attacker.post("/api/auth/refresh", json={"refresh_token": attacker.tokens["refresh_token"]})
        ).status_code,
        (await by_key.get("/api/models")).status_code,
        (await visitor.post("/api/auth/login", json=login)).status_code,
        (await visitor.post("/api/auth/totp/verify", json=body)).status_code,
        signed.status_code,
    ]
    assert statuses == [401] * 6
    await mailbox.arrived(EMAIL, 2)
    async with hortus.database.snapshot() as tx:
        for table in ("totp_factors", "recovery_codes", "passkeys", "external_accounts", "second_factor_challenges"):
            assert (await tx.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one() == 0, table


@pytest.mark.parametrize("verify", [by_link, by_code])
async def test_the_first_to_verify_an_address_chooses_the_password_anew(hortus: Hortus, mailbox: Mailbox, verify: Any):
    await hortus.customer(EMAIL)
    answer = (await verify(hortus, mailbox)).json()
    assert (answer["email"], answer["verified"], answer["password_required"]) == (EMAIL, True, True)
    assert "confirmed" in await mailbox.arrived(EMAIL, 2)
    owner = hortus.anonymous()
    body = {"token": answer["password_reset_token"], "new_password": NEW}
    assert (await owner.post("/api/auth/reset-password", json=body)).status_code == 200
    assert (await owner.post("/api/auth/reset-password", json=body)).status_code == 401
    assert (await owner.post("/api/auth/login", json={"email": EMAIL, "password": NEW})).status_code == 200


@pytest.mark.parametrize("how", ["token", "code"])
async def test_who_is_signed_in_to_the_account_keeps_everything(hortus: Hortus, mailbox: Mailbox, how: str):
    client = await hortus.customer(EMAIL)
    body = {"token": await mailbox.token(EMAIL)} if how == "token" else {"code": await mailbox.code(EMAIL)}
    answer = await client.post("/api/auth/verify-email", json=body)
    assert answer.json() == {"email": EMAIL, "verified": True}
    assert (await client.get("/api/user/me")).status_code == 200
    assert (await client.post("/api/auth/login", json={"email": EMAIL, "password": PASSWORD})).status_code == 200


async def test_another_session_of_a_stranger_is_no_session_of_the_account(hortus: Hortus, mailbox: Mailbox):
    await hortus.customer(EMAIL)
    other = await hortus.customer()
    answer = await other.post("/api/auth/verify-email", json={"token": await mailbox.token(EMAIL)})
    assert answer.json()["password_required"] is True


@pytest.mark.parametrize("why", ["verified", "staff"])
@pytest.mark.parametrize("verify", [by_link, by_code])
async def test_no_address_is_verified_for_an_account_with_another_verified_owner(
    hortus: Hortus, mailbox: Mailbox, verify: Any, why: str
):
    """Or the owner of the address would from then on sign in to the attacker's account, and fill it."""
    attacker = await hortus.customer(EMAIL)
    if why == "verified":
        assert (
            await attacker.post("/api/user/identifiers", json={"mobile_number": "+919812345678"})
        ).status_code == 202
        body = {"mobile_number": "+919812345678", "code": await mailbox.code("+919812345678")}
        assert (await attacker.post("/api/user/identifiers/verify", json=body)).status_code == 200
    else:
        async with hortus.database.transaction() as tx:
            await tx.execute(text("UPDATE users SET role = 'admin'"))
    answer = await verify(hortus, mailbox)
    assert (answer.status_code, answer.json()["code"]) == (403, "sign_in_to_verify")
    found = (await attacker.get("/api/user/identifiers")).json()["items"]
    assert [each["verified"] for each in found if each["kind"] == "email"] == [False]
    token = await mailbox.token(EMAIL)  # the refusal did not use it up
    assert (await attacker.post("/api/auth/verify-email", json={"token": token})).status_code == 200
