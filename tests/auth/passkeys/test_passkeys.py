"""Passkeys over HTTP, from making one to removing it."""

import asyncio
from collections import Counter
from typing import Any

import httpx2
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text
from tests.auth.mfa.admin_route import admin_route
from tests.auth.mfa.authenticator_app import first_step, set_up
from tests.auth.passkeys.authenticator import Authenticator, asked, b64, make_passkey, send
from tests.helpers.server import Hortus, serve

from hortus.auth.passkeys.relying_party import RelyingParty, relying_party_of
from hortus.core.settings import Settings

EMAIL = "asha@example.com"


def code_of(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def without_password(hortus: Hortus, client: httpx2.AsyncClient) -> None:
    async with hortus.database.transaction() as tx:
        user_id = client.tokens["user"]["id"]
        await tx.execute(text("UPDATE users SET password_hash = NULL WHERE id = :id"), {"id": user_id})


async def test_a_passkey_from_making_to_removing(hortus: Hortus):
    client, device = await hortus.customer(EMAIL), Authenticator()
    options = await asked(client, "register")
    assert options["rp"] == {"id": "localhost", "name": "Hortus"}
    assert (options["user"]["name"], options["user"]["displayName"]) == (EMAIL, EMAIL)
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["attestation"] == "none"
    assert {each["alg"] for each in options["pubKeyCredParams"]} == {-8, -7, -257}
    made = (await send(client, "register", device.create(options), name="  Phone ")).json()
    assert made.keys() == {"id", "name", "backed_up", "created_at", "last_used_at", "regressed_at"}
    assert (made["name"], made["backed_up"], made["last_used_at"], made["regressed_at"]) == ("Phone", True, None, None)

    visitor = hortus.anonymous()
    options = await asked(visitor, "login")
    assert options == {
        "challenge": options["challenge"],
        "timeout": 300_000,
        "rpId": "localhost",
        "allowCredentials": [],
        "userVerification": "required",
    }
    signed_in = await send(visitor, "login", device.get(options))
    assert signed_in.json()["user"]["email"] == EMAIL
    visitor.headers["Authorization"] = f"Bearer {signed_in.json()['access_token']}"
    listed = (await visitor.get("/api/auth/passkey")).json()
    assert [each["id"] for each in listed["items"]] == [made["id"]]
    assert listed["items"][0]["last_used_at"] is not None
    renamed = await visitor.patch(f"/api/auth/passkey/{made['id']}", json={"name": "Old phone"})
    assert renamed.json() == {**listed["items"][0], "name": "Old phone"}
    assert (await visitor.delete(f"/api/auth/passkey/{made['id']}")).status_code == 204
    assert code_of(await visitor.delete(f"/api/auth/passkey/{made['id']}")) == (404, "passkey_not_found")
    gone = await send(hortus.anonymous(), "login", device.get(await asked(hortus.anonymous(), "login")))
    assert code_of(gone) == (401, "bad_passkey")


async def test_several_with_names_newest_first_and_none_made_twice(hortus: Hortus):
    client, devices = await hortus.customer(), [Authenticator() for _ in range(3)]
    made = [await make_passkey(client, device, f"Device {number}") for number, device in enumerate(devices)]
    first = (await client.get("/api/auth/passkey?limit=2")).json()
    second = (await client.get(f"/api/auth/passkey?limit=2&cursor={first['next_cursor']}")).json()
    assert [each["id"] for each in first["items"] + second["items"]] == made[::-1]
    excluded = (await asked(client, "register"))["excludeCredentials"]
    assert [each["id"] for each in excluded] == [b64(device.keys[0].id) for device in devices]
    again = devices[0].create(await asked(client, "register"), key_id=devices[0].keys[0].id)
    assert code_of(await send(client, "register", again)) == (409, "passkey_known")
    stranger = await hortus.customer()
    stolen = Authenticator().create(await asked(stranger, "register"), key_id=devices[0].keys[0].id)
    assert code_of(await send(stranger, "register", stolen)) == (409, "passkey_known")


async def test_a_repeated_registration_makes_one(hortus: Hortus):
    client, device = await hortus.customer(), Authenticator()
    body = {"credential": device.create(await asked(client, "register"))}
    key = {"Idempotency-Key": "made-once"}
    path = "/api/auth/passkey/register"
    answers = [await client.post(path, json=body, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert code_of(await client.post(path, json=body)) == (422, "passkey_not_verified")  # its challenge is used up
    assert len((await client.get("/api/auth/passkey")).json()["items"]) == 1


async def test_at_most_twenty_however_parallel(hortus: Hortus):
    client = await hortus.customer()
    for _ in range(17):
        await make_passkey(client, Authenticator())
    made = [Authenticator().create(await asked(client, "register")) for _ in range(6)]
    answers = await asyncio.gather(*(send(client, "register", each) for each in made))
    assert Counter(answer.status_code for answer in answers) == {201: 3, 409: 3}
    assert {answer.json().get("code") for answer in answers} == {None, "too_many_passkeys"}


async def test_a_passkey_is_both_factors(hortus: Hortus):
    client, device = await hortus.customer(EMAIL), Authenticator()
    await make_passkey(client, device)
    assert "access_token" in await first_step(hortus.anonymous(), EMAIL)  # alone, it asks nothing of a password
    await set_up(client)
    asked_for = await first_step(hortus.anonymous(), EMAIL)
    assert asked_for["methods"] == ["totp", "recovery_code", "passkey"]
    visitor = hortus.anonymous()
    signed_in = await send(visitor, "login", device.get(await asked(visitor, "login")))
    visitor.headers["Authorization"] = f"Bearer {signed_in.json()['access_token']}"
    assert (await visitor.post("/api/auth/totp/recovery-codes")).status_code == 200  # which asks for two


async def test_a_passkey_reauthenticates(hortus: Hortus):
    with time_machine.travel(1_790_000_000, tick=True) as travel:
        client, device, other = await hortus.customer(), Authenticator(), Authenticator()
        passkey_id = await make_passkey(client, device)
        stranger = await hortus.customer()
        await make_passkey(stranger, other)
        travel.shift(601)
        for answer in (
            await client.post("/api/auth/passkey/register/options"),
            await send(client, "register", device.create({**(await asked(client, "login")), **FAKE})),
            await client.delete(f"/api/auth/passkey/{passkey_id}"),
        ):
            assert code_of(answer) == (403, "reauthentication_required")
        options = await asked(client, "reauthenticate")
        assert len(options["allowCredentials"]) == 1
        device.keys = device.keys[:1]
        foreign = other.get({**options, "allowCredentials": []})
        assert code_of(await send(client, "reauthenticate", foreign)) == (401, "bad_passkey")
        elsewhere = device.get(await asked(client, "login"))  # a challenge for another purpose
        assert code_of(await send(client, "reauthenticate", elsewhere)) == (401, "bad_passkey")
        signed = device.get(await asked(client, "reauthenticate"))
        assert code_of(await send(hortus.anonymous(), "login", signed)) == (401, "bad_passkey")
        answer = await send(client, "reauthenticate", signed)
        assert (answer.status_code, answer.json()["method"]) == (200, "passkey")
        assert code_of(await send(client, "reauthenticate", signed)) == (401, "bad_passkey")
        assert (await client.delete(f"/api/auth/passkey/{passkey_id}")).status_code == 204


FAKE = {"rp": {"id": "localhost"}, "user": {"id": "YQ"}}


async def test_concurrent_removals_keep_the_last_passkey(hortus: Hortus):
    client = await hortus.customer()
    await without_password(hortus, client)
    made = [await make_passkey(client, Authenticator()) for _ in range(4)]
    answers = await asyncio.gather(*(client.delete(f"/api/auth/passkey/{each}") for each in made))
    assert sorted(answer.status_code for answer in answers) == [204, 204, 204, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"last_credential"}
    assert len((await client.get("/api/auth/passkey")).json()["items"]) == 1


async def test_a_suspended_user_is_told_so_only_with_a_good_signature(hortus: Hortus):
    client, device = await hortus.customer(), Authenticator()
    await make_passkey(client, device)
    async with hortus.database.transaction() as tx:
        await tx.execute(text("UPDATE users SET status = 'suspended'"))
    visitor = hortus.anonymous()
    assert code_of(await send(visitor, "login", device.get(await asked(visitor, "login")))) == (
        403,
        "account_suspended",
    )
    forged = device.get(await asked(visitor, "login"), private=ec.generate_private_key(ec.SECP256R1()))
    assert code_of(await send(visitor, "login", forged)) == (401, "bad_passkey")


async def test_administrators_may_use_a_passkey_as_two_factors(database_url: str, tmp_path):
    async with serve(database_url, tmp_path, require_admin_second_factor=True) as hortus:
        admin, device = await hortus.staff("admin"), Authenticator()
        assert await admin_route(hortus, admin.tokens["access_token"]) == (403, "second_factor_required")
        await make_passkey(admin, device)
        assert await admin_route(hortus, admin.tokens["access_token"]) == (200, "let in")
        visitor = hortus.anonymous()
        by_password = await first_step(visitor, admin.tokens["user"]["email"])
        assert await admin_route(hortus, by_password["access_token"]) == (403, "second_factor_required")
        by_passkey = await send(visitor, "login", device.get(await asked(visitor, "login")))
        assert await admin_route(hortus, by_passkey.json()["access_token"]) == (200, "let in")


SITES = [
    ({"public_url": "https://Garden.example.com:443/"}, "garden.example.com", ["https://garden.example.com"]),
    (
        {"public_url": "https://api.example.com", "frontend_base_url": "https://app.example.com/"},
        "app.example.com",
        ["https://app.example.com"],
    ),
    (
        {
            "public_url": "https://api.example.com:8443",
            "frontend_base_url": "https://app.example.com",
            "passkey_rp_id": "Example.com",
        },
        "example.com",
        ["https://app.example.com", "https://api.example.com:8443"],
    ),
    ({"host": "0.0.0.0", "port": 9000}, "localhost", ["http://localhost:9000"]),
    ({"frontend_base_url": "http://127.0.0.1:5173"}, "localhost", ["http://localhost:5173", "http://localhost:8000"]),
]


@pytest.mark.parametrize(("settings", "rp_id", "origins"), SITES)
def test_the_site_is_what_the_operator_set(tmp_path, settings: dict[str, Any], rp_id: str, origins: list[str]):
    assert relying_party_of(Settings(data_dir=tmp_path, **settings)) == RelyingParty(rp_id, tuple(origins))


async def test_a_passkey_is_for_its_site(database_url: str, tmp_path):
    async with serve(database_url, tmp_path, public_url="https://garden.example.com") as hortus:
        client, device = await hortus.customer(), Authenticator()
        options = await asked(client, "register")
        assert options["rp"]["id"] == "garden.example.com"
        assert (await send(client, "register", device.create(options))).status_code == 422
        made = device.create(options, origin="https://garden.example.com")
        assert (await send(client, "register", made)).status_code == 201
        for origin, status in (("https://garden.example.com", 200), ("http://garden.example.com", 401)):
            used = device.get(await asked(hortus.anonymous(), "login"), origin=origin)
            assert (await send(hortus.anonymous(), "login", used)).status_code == status


@pytest.mark.parametrize("public_url", ["http://203.0.113.7:8000", "http://[2001:db8::1]:8000"])
async def test_an_address_without_a_name_offers_none(database_url: str, tmp_path, public_url: str):
    async with serve(database_url, tmp_path, public_url=public_url) as hortus:
        answer = await hortus.anonymous().post("/api/auth/passkey/login/options")
        assert code_of(answer) == (503, "passkeys_not_offered")
