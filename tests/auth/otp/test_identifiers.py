"""Identifiers of a user: added by OTP, removed except the last credential, and taken over only if unverified."""

import asyncio

from sqlalchemy import text
from tests.helpers.mailbox import Mailbox
from tests.helpers.server import Hortus

NUMBER, OTHER = "+919812345678", "second@example.com"


async def by_number(hortus: Hortus, mailbox: Mailbox, number: str = NUMBER):
    """A customer who has nothing but a number."""
    client = hortus.anonymous()
    await client.post("/auth/send-otp", json={"mobile_number": number})
    body = {"mobile_number": number, "code": await mailbox.code(number)}
    tokens = (await client.post("/auth/verify-otp", json=body)).json()
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    return client


async def test_an_address_is_added_by_its_code_and_signs_in(hortus: Hortus, mailbox: Mailbox):
    client = await by_number(hortus, mailbox)
    asked = await client.post("/user/identifiers/", json={"email": OTHER})
    assert asked.status_code == 202, asked.text
    code = await mailbox.code(OTHER)
    wrong = await client.post("/api/user/identifiers/verify", json={"email": OTHER, "code": f"{int(code) ^ 1:06}"})
    assert (wrong.status_code, wrong.json()["code"]) == (403, "wrong_code")
    added = await client.post("/api/user/identifiers/verify", json={"email": OTHER, "code": code})
    assert (added.status_code, added.json()["verified"]) == (200, True), added.text
    assert OTHER in await mailbox.arrived(NUMBER, 2)
    me = (await client.get("/api/user/me")).json()
    assert (me["email"], me["mobile_number"]) == (OTHER, NUMBER)
    await client.post("/auth/send-otp", json={"email": OTHER})
    entered = await client.post("/auth/verify-otp", json={"email": OTHER, "code": await mailbox.code(OTHER, 2)})
    assert entered.json()["user"]["id"] == me["id"]


async def test_concurrent_removals_keep_the_last_credential(hortus: Hortus, mailbox: Mailbox):
    client = await by_number(hortus, mailbox)
    await client.post("/user/identifiers", json={"email": OTHER})
    await client.post("/user/identifiers/verify", json={"email": OTHER, "code": await mailbox.code(OTHER)})
    listed = (await client.get("/user/identifiers")).json()["items"]
    removals = (client.delete(f"/user/identifiers/{each['id']}") for each in listed)
    answers = await asyncio.gather(*removals)
    assert sorted(answer.status_code for answer in answers) == [204, 409]
    left = (await client.get("/user/identifiers")).json()["items"]
    assert len(left) == 1
    last = await client.delete(f"/user/identifiers/{left[0]['id']}")
    assert (last.status_code, last.json()["code"]) == (409, "last_credential")


async def test_only_unverified_identifiers_are_taken_over(hortus: Hortus, mailbox: Mailbox):
    await by_number(hortus, mailbox, "+919812345670")
    squatter = await hortus.customer(OTHER)
    await mailbox.arrived(OTHER, 1)
    client = await by_number(hortus, mailbox)
    for target, name in (("+919812345670", "mobile_number"), (OTHER, "email")):
        assert (await client.post("/user/identifiers", json={name: target})).status_code == 202
        body = {name: target, "code": await mailbox.code(target, 2)}
        answer = await client.post("/user/identifiers/verify", json=body)
        if name == "mobile_number":
            assert (answer.status_code, answer.json()["code"]) == (409, "identifier_taken")
        else:
            assert answer.status_code == 200
    assert (await squatter.get("/api/user/me")).json()["email"] is None
    assert (await client.get("/api/user/me")).json()["email"] == OTHER


async def test_verifying_an_unverified_address_does_not_open_an_account_with_a_verified_owner(
    hortus: Hortus, mailbox: Mailbox
):
    squatter = await hortus.customer(OTHER)
    await mailbox.arrived(OTHER, 1)
    await squatter.post("/user/identifiers", json={"mobile_number": NUMBER})
    body = {"mobile_number": NUMBER, "code": await mailbox.code(NUMBER)}
    assert (await squatter.post("/user/identifiers/verify", json=body)).status_code == 200
    owner = hortus.anonymous()
    await owner.post("/auth/send-otp", json={"email": OTHER})
    tokens = (await owner.post("/auth/verify-otp", json={"email": OTHER, "code": await mailbox.code(OTHER, 3)})).json()
    assert tokens["user"]["id"] != squatter.tokens["user"]["id"]
    me = (await squatter.get("/api/user/me")).json()
    assert (me["email"], me["mobile_number"]) == (None, NUMBER)


async def test_a_code_for_one_user_adds_nothing_to_another(hortus: Hortus, mailbox: Mailbox):
    one, two = await by_number(hortus, mailbox), await by_number(hortus, mailbox, "+919812345670")
    await one.post("/user/identifiers", json={"email": OTHER})
    body = {"email": OTHER, "code": await mailbox.code(OTHER)}
    assert (await two.post("/user/identifiers/verify", json=body)).status_code == 403
    assert (await hortus.anonymous().post("/auth/verify-otp", json=body)).status_code == 401
    assert (await one.post("/user/identifiers/verify", json=body)).status_code == 200


async def test_credentials_change_only_after_recent_authentication(hortus: Hortus, mailbox: Mailbox):
    client = await by_number(hortus, mailbox)
    async with hortus.database.transaction() as tx:
        await tx.execute(text("UPDATE sessions SET authenticated_at = '2026-01-01 00:00:00'"))
    late = await client.post("/user/identifiers", json={"email": OTHER})
    assert (late.status_code, late.json()["code"]) == (403, "reauthentication_required")
