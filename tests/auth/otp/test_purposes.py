"""A secret works on the one route it was issued for, and of several links only the newest works."""

import asyncio

import pytest
from tests.arch.test_routes import ALL
from tests.auth.otp.test_resets import ADDRESS, NEW, later, verified
from tests.helpers.mailbox import Mailbox
from tests.helpers.server import PASSWORD, Hortus

OWN_ROUTE = {
    "sign_in": {"/api/auth/verify-otp"},
    "verify": {"/api/auth/verify-email"},
    "reset_password": {"/api/auth/reset-password"},
    "link": {"/api/user/identifiers/verify"},
}
"""Each purpose of a code, and where it is used."""
OTHER_CODES = {
    # Codes of other kinds: their own tables, their own digests.
    "/api/auth/totp/confirm", "/api/auth/totp/verify", "/api/auth/totp/disable", "/api/auth/totp/reauthenticate",
    "/api/auth/oidc/exchange", "/api/user/external-accounts",
    "/api/payment/redeem", "/api/payment/referral", "/api/admin/coupons",
}  # fmt: skip


def code_routes() -> set[str]:
    return {
        route.path
        for route in ALL
        if route.body_field is not None
        and "code" in getattr(route.body_field.field_info.annotation, "model_fields", {})
    }


def test_every_route_that_takes_a_code_is_known_here():
    assert code_routes() == OTHER_CODES | set().union(*OWN_ROUTE.values())


async def send(client, purpose: str) -> dict[str, str]:
    """Let a code be sent for that; whose it is."""
    if purpose == "link":
        answer = await client.post("/api/user/identifiers", json={"email": "second@example.com"})
        target = "second@example.com"
    else:
        answer = await client.post("/api/auth/send-otp", json={"email": ADDRESS, "purpose": purpose})
        target = ADDRESS
    assert answer.status_code in (200, 202), answer.text
    return {"email": target}


@pytest.mark.parametrize("purpose", OWN_ROUTE)
async def test_a_code_opens_the_route_of_its_purpose_alone(hortus: Hortus, mailbox: Mailbox, purpose: str):
    client = await hortus.customer(ADDRESS)
    await mailbox.code(ADDRESS)  # the one that came with the registration: to verify the address
    with later(61):
        target = await send(client, purpose)
        code = await mailbox.code(target["email"], 1 if purpose == "link" else 2)
        for path in sorted(set().union(*OWN_ROUTE.values()) - OWN_ROUTE[purpose]):
            for claimed in ("sign_in", "verify", "reset_password"):
                body = {**target, "code": code, "purpose": claimed, "accept_terms": True}
                if path != "/api/auth/verify-otp":
                    body = {**target, "code": code}
                if path == "/api/auth/reset-password":
                    body["new_password"] = NEW
                answer = await client.post(path, json=body)
                assert answer.status_code in (401, 403, 422), (path, claimed, answer.text)
                assert "access_token" not in answer.text
        (own,) = OWN_ROUTE[purpose]
        body = {**target, "code": code, **({"new_password": NEW} if purpose == "reset_password" else {})}
        answer = await client.post(own, json=body)
        assert answer.status_code == 200, answer.text
        assert ("access_token" in answer.text) is (purpose == "sign_in")


async def test_signing_in_by_code_sets_no_password_anew(hortus: Hortus, mailbox: Mailbox):
    await verified(hortus, mailbox)
    client = hortus.anonymous()
    await client.post("/api/auth/send-otp", json={"email": ADDRESS})
    body = {"email": ADDRESS, "code": await mailbox.code(ADDRESS, 2)}
    tokens = (await client.post("/api/auth/verify-otp", json=body)).json()
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    answer = await client.post("/api/user/change-password", json={"new_password": NEW})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "current_password")
    assert (await client.post("/api/auth/login", json={"email": ADDRESS, "password": PASSWORD})).status_code == 200


async def test_only_the_newest_link_to_reset_a_password_works(hortus: Hortus, mailbox: Mailbox):
    client = await verified(hortus, mailbox)
    tokens = []
    for number in range(3):
        with later(61 * (number + 1)):
            answer = await client.post("/api/auth/forgot-password", json={"email": ADDRESS})
            assert answer.status_code == 200, answer.text
            tokens.append(await mailbox.token(ADDRESS, 2 + number))
    with later(200):
        for token in tokens[:2]:
            old = await client.post("/api/auth/reset-password", json={"token": token, "new_password": NEW})
            assert (old.status_code, old.json()["code"]) == (401, "bad_link")
        new = await client.post("/api/auth/reset-password", json={"token": tokens[2], "new_password": NEW})
        assert new.status_code == 200, new.text


async def test_a_link_to_one_address_ends_that_to_another_of_the_same_account(hortus: Hortus, mailbox: Mailbox):
    client = await verified(hortus, mailbox)
    second = "second@example.com"
    await client.post("/api/user/identifiers", json={"email": second})
    body = {"email": second, "code": await mailbox.code(second)}
    added = await client.post("/api/user/identifiers/verify", json=body)
    assert added.status_code == 200, added.text
    await client.post("/api/auth/forgot-password", json={"email": second})
    older = await mailbox.token(second, 2)
    before = len(mailbox.to(ADDRESS))
    await client.post("/api/auth/forgot-password", json={"email": ADDRESS})
    newer = await mailbox.token(ADDRESS, before + 1)
    old = await client.post("/api/auth/reset-password", json={"token": older, "new_password": NEW})
    assert (old.status_code, old.json()["code"]) == (401, "bad_link")
    assert (
        await client.post("/api/auth/reset-password", json={"token": newer, "new_password": NEW})
    ).status_code == 200


async def test_only_the_newest_link_to_verify_an_address_works(hortus: Hortus, mailbox: Mailbox):
    client = await hortus.customer(ADDRESS)
    older = await mailbox.token(ADDRESS)
    with later(61):
        await client.post("/api/auth/send-otp", json={"email": ADDRESS, "purpose": "verify"})
        newer = await mailbox.token(ADDRESS, 2)
        old = await client.post("/api/auth/verify-email", json={"token": older})
        assert (old.status_code, old.json()["code"]) == (401, "bad_link")
        assert (await client.post("/api/auth/verify-email", json={"token": newer})).status_code == 200


async def test_of_links_written_at_once_one_works(hortus: Hortus, mailbox: Mailbox):
    """To several addresses of one account: each message is written by a task of its own."""
    client = await verified(hortus, mailbox)
    others = [f"other{number}@example.com" for number in range(3)]
    for email in others:
        await client.post("/api/user/identifiers", json={"email": email})
        body = {"email": email, "code": await mailbox.code(email)}
        assert (await client.post("/api/user/identifiers/verify", json=body)).status_code == 200
    await asyncio.gather(*(client.post("/api/auth/forgot-password", json={"email": email}) for email in others))
    tokens = [await mailbox.token(email, 2) for email in others]
    answers = [
        await client.post("/api/auth/reset-password", json={"token": token, "new_password": NEW}) for token in tokens
    ]
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401]
