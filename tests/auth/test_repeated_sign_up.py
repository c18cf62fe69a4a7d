"""A repeated sign-up request gives no access, whatever happened to the account."""

import asyncio

import pytest
from tests.helpers.mailbox import Mailbox
from tests.helpers.server import PASSWORD, Hortus, serve

from hortus.accounts import status_of

EMAIL, NEW = "victim@example.com", "quite another passphrase 8"
BODY = {"email": EMAIL, "password": PASSWORD, "accept_terms": True}
KEY = {"Idempotency-Key": "mallory"}


async def _verified_by_code(hortus: Hortus, mailbox: Mailbox, _attacker) -> None:
    """The owner signs in with a code that was sent to the address."""
    owner = hortus.anonymous()
    await mailbox.arrived(EMAIL, 1)
    await owner.post("/api/auth/send-otp", json={"email": EMAIL})
    code = await mailbox.code(EMAIL, 2)
    assert (await owner.post("/api/auth/verify-otp", json={"email": EMAIL, "code": code})).status_code == 200


async def _password_reset(hortus: Hortus, mailbox: Mailbox, _attacker) -> None:
    owner = hortus.anonymous()
    await mailbox.arrived(EMAIL, 1)
    await owner.post("/api/auth/forgot-password", json={"email": EMAIL})
    body = {"token": await mailbox.token(EMAIL, 2), "new_password": NEW}
    assert (await owner.post("/api/auth/reset-password", json=body)).status_code == 200


async def _password_changed(_hortus: Hortus, _post: Mailbox, attacker) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert (await attacker.post("/api/auth/change-password", json=body)).status_code == 200


async def _suspended(hortus: Hortus, _post: Mailbox, attacker) -> None:
    admin, user_id = await hortus.staff("admin"), attacker.tokens["user"]["id"]
    body = {"reason": "The test asks"}
    assert (await admin.post(f"/api/admin/users/{user_id}/suspend", json=body)).status_code == 200


async def _closed(_hortus: Hortus, _post: Mailbox, attacker) -> None:
    assert (await attacker.request("DELETE", "/api/user/me")).status_code == 202


@pytest.mark.parametrize("event", [_verified_by_code, _password_reset, _password_changed, _suspended, _closed])
async def test_a_repeated_sign_up_gives_no_tokens(database_url: str, tmp_path, event):
    async with serve(database_url, tmp_path) as hortus:
        mailbox = Mailbox()
        mailbox.attach(hortus)
        attacker = hortus.anonymous()
        first = await attacker.post("/api/auth/register", json=BODY, headers=KEY)
        assert first.status_code == 201
        attacker.tokens = first.json()
        attacker.headers["Authorization"] = f"Bearer {attacker.tokens['access_token']}"
        await event(hortus, mailbox, attacker)
        again = await hortus.anonymous().post("/api/auth/register", json=BODY, headers=KEY)
        assert (again.status_code, again.json()["code"]) == (409, "already_done")
        assert "token" not in again.json()
        assert (await attacker.get("/api/user/me")).status_code in (
            (200,) if event is _password_changed else (401, 403)
        )
        async with hortus.database.snapshot() as tx:
            status = await status_of(tx, attacker.tokens["user"]["id"])
        assert status == {_suspended: "suspended", _closed: "closing"}.get(event, "active")


async def test_of_many_equal_sign_ups_at_once_one_gets_tokens_and_the_others_wait_for_it(database_url: str, tmp_path):
    async with serve(database_url, tmp_path) as hortus:
        client = hortus.anonymous()
        sent = (client.post("/api/auth/register", json=BODY, headers=KEY) for _ in range(12))
        answers = await asyncio.gather(*sent)
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 11
        assert {answer.json().get("code") for answer in answers} == {None, "already_done"}
        other = await client.post("/api/auth/register", json={**BODY, "name": "Other"}, headers=KEY)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
        sign_in = await client.post("/api/auth/login", json={"email": EMAIL, "password": PASSWORD})
        assert sign_in.status_code == 200
