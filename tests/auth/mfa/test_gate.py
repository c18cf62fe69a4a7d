"""Every sign-in requires the second factor once it is set up, and from administrators where it is mandatory."""

import ast
from pathlib import Path

import pytest
import time_machine
from tests.auth.mfa.admin_route import admin_route
from tests.auth.mfa.authenticator_app import first_step, second_step, set_up
from tests.helpers.server import PASSWORD, Hortus, serve

import hortus as product

SOURCE = Path(product.__file__).parent
EMAIL = "asha@example.com"
MAY_CALL = {
    "open_session": {"auth/sign_in.py"},
    "complete_sign_in": {"auth/sign_in.py", "auth/api/mfa.py", "auth/api/passkeys.py"},
    "tokens_of": {"auth/sign_in.py", "auth/api/sessions.py"},
}


@pytest.mark.parametrize("verb", MAY_CALL)
def test_every_sign_in_requires_the_second_factor(verb: str):
    """New sign-in methods call `sign_in`, which requires the second factor, and none of the functions behind it."""
    callers = set()
    for path in SOURCE.rglob("*.py"):
        if verb not in (source := path.read_text()):
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and verb in (getattr(node.func, "attr", ""), getattr(node.func, "id", "")):
                callers.add(str(path.relative_to(SOURCE)))
    assert callers <= MAY_CALL[verb]
    assert "auth/sign_in.py" in callers


async def test_a_session_from_before_the_second_factor_has_to_catch_up(hortus: Hortus):
    old = await hortus.customer(EMAIL)
    new = hortus.anonymous()
    new.headers["Authorization"] = f"Bearer {(await first_step(new, EMAIL))['access_token']}"
    app = await set_up(new)
    for _ in range(2):  # a password alone changes nothing
        refused = await old.post("/api/auth/totp/recovery-codes")
        assert (refused.status_code, refused.json()["code"]) == (403, "reauthentication_required")
        assert refused.json()["second_factor"] is True
        assert (await old.post("/api/auth/reauthenticate", json={"password": PASSWORD})).status_code == 200
    factor = {"recovery_code": app.recovery_codes[0]}
    assert (await old.post("/api/auth/totp/reauthenticate", json=factor)).status_code == 200
    assert (await old.post("/api/auth/totp/recovery-codes")).status_code == 200


async def test_registering_again_with_the_same_key_is_no_way_past(hortus: Hortus):
    client, body = hortus.anonymous(), {"email": EMAIL, "password": PASSWORD, "accept_terms": True}
    first = await client.post("/api/auth/register", json=body, headers={"Idempotency-Key": "k"})
    client.headers["Authorization"] = f"Bearer {first.json()['access_token']}"
    await set_up(client)
    again = await client.post("/api/auth/register", json=body, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json()["code"]) == (409, "already_done")


@pytest.mark.parametrize("required", [False, True])
async def test_administrators_need_two_where_the_operator_says_so(database_url: str, tmp_path, required: bool):
    with time_machine.travel(1_790_000_010, tick=True) as travel:
        async with serve(database_url, tmp_path, require_admin_second_factor=required) as hortus:
            admin = await hortus.staff("admin")
            email, token = admin.tokens["user"]["email"], admin.tokens["access_token"]
            one = (403, "second_factor_required") if required else (200, "let in")
            assert await admin_route(hortus, token) == one
            assert await admin_route(hortus, (await hortus.customer()).tokens["access_token"]) == (403, "forbidden")
            app = await set_up(admin)  # its first code verifies it on this device
            assert await admin_route(hortus, token) == (200, "let in")
            travel.shift(30)
            challenge = (await first_step(hortus.anonymous(), email))["challenge"]
            signed_in = await second_step(hortus.anonymous(), challenge, code=app.code())
            assert await admin_route(hortus, signed_in.json()["access_token"]) == (200, "let in")
            body = {"refresh_token": signed_in.json()["refresh_token"]}
            refreshed = await hortus.anonymous().post("/api/auth/refresh", json=body)
            assert await admin_route(hortus, refreshed.json()["access_token"]) == (200, "let in")
