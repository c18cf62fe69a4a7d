"""Second factors over HTTP: both factors are required, and no code is accepted twice."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
import time_machine
from sqlalchemy import text
from tests.auth.mfa.authenticator_app import App, first_step, second_step, set_up
from tests.helpers.server import Hortus, serve

from hortus.auth.mfa import totp
from hortus.core import clock

EMAIL = "asha@example.com"


@pytest.fixture
def travel() -> Iterator[time_machine.Traveller]:
    """A clock at the middle of a step, that ticks and can be set forward."""
    start = clock.now().timestamp() // 30 * 30 + 10
    with time_machine.travel(start, tick=True) as traveller:
        yield traveller


def code_of(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_second_factor_from_setup_to_disabling(hortus: Hortus, travel: time_machine.Traveller):
    client, device = await hortus.customer(EMAIL), hortus.anonymous()
    made = (await client.post("/api/auth/totp/setup")).json()
    assert set(made) == {"secret", "otpauth_uri"}
    parts = urlsplit(made["otpauth_uri"])
    assert (parts.scheme, parts.netloc, parts.path) == ("otpauth", "totp", "/Hortus:asha%40example.com")
    assert parse_qs(parts.query)["secret"] == [made["secret"]]
    app = App(made["secret"])
    pending = (await client.get("/api/auth/totp")).json()
    assert pending == {"active": False, "confirmed_at": None, "recovery_codes_left": 0}
    assert "access_token" in await first_step(device, EMAIL)  # a secret that was never confirmed locks nobody out
    assert code_of(await client.post("/api/auth/totp/confirm", json={"code": app.wrong()})) == (
        401,
        "bad_second_factor",
    )
    confirmed = await client.post("/api/auth/totp/confirm", json={"code": app.code()})
    assert len(set(confirmed.json()["recovery_codes"])) == 10
    for path, body in (("setup", None), ("confirm", {"code": app.code(1)})):
        assert code_of(await client.post(f"/api/auth/totp/{path}", json=body)) == (409, "totp_active")

    asked = await first_step(device, EMAIL)
    assert asked.keys() == {"second_factor_required", "challenge", "methods", "expires_in"}
    assert (asked["second_factor_required"], asked["methods"], asked["expires_in"]) == (
        True,
        ["totp", "recovery_code"],
        300,
    )
    refused = await second_step(device, asked["challenge"], code=app.wrong())
    assert (code_of(refused), refused.json()["tries_left"]) == ((401, "bad_second_factor"), 4)
    replayed = await second_step(device, asked["challenge"], code=app.code())  # the step that confirmed the app
    assert code_of(replayed) == (401, "bad_second_factor")
    travel.shift(30)
    signed_in = await second_step(device, asked["challenge"], code=app.code())
    assert signed_in.json()["user"]["email"] == EMAIL
    assert code_of(await second_step(device, asked["challenge"], code=app.code(1))) == (401, "bad_challenge")

    device.headers["Authorization"] = f"Bearer {signed_in.json()['access_token']}"
    travel.shift(30)
    assert (await device.post("/api/auth/totp/disable", json={"code": app.code()})).status_code == 204
    assert (await client.get("/api/auth/totp")).json()["active"] is False
    assert "access_token" in await first_step(hortus.anonymous(), EMAIL)
    assert code_of(await device.post("/api/auth/totp/disable", json={"code": app.code()})) == (409, "totp_not_active")
    assert code_of(await device.post("/api/auth/totp/recovery-codes")) == (409, "totp_not_active")


@pytest.mark.parametrize(("steps", "status"), [(-2, 401), (-1, 200), (0, 200), (1, 200), (2, 401)])
async def test_a_clock_may_be_one_step_off(hortus: Hortus, travel: time_machine.Traveller, steps: int, status: int):
    app = await set_up(await hortus.customer(EMAIL))
    travel.shift(120)
    asked = await first_step(hortus.anonymous(), EMAIL)
    assert (await second_step(hortus.anonymous(), asked["challenge"], code=app.code(steps))).status_code == status


async def test_twenty_parallel_uses_of_one_code_let_one_in(hortus: Hortus, travel: time_machine.Traveller):
    app, client = await set_up(await hortus.customer(EMAIL)), hortus.anonymous()
    travel.shift(30)
    asked = [await first_step(client, EMAIL) for _ in range(20)]
    code = app.code()
    answers = await asyncio.gather(*(second_step(client, each["challenge"], code=code) for each in asked))
    seen = Counter(answer.status_code for answer in answers)
    assert seen[200] == 1
    assert set(seen) <= {200, 401, 429}
    # And one challenge opens one session, whatever is offered.
    travel.shift(3600)
    challenge = (await first_step(client, EMAIL))["challenge"]
    factors = [{"code": app.code()}, *({"recovery_code": each} for each in app.recovery_codes)]
    answers = await asyncio.gather(*(second_step(client, challenge, **factor) for factor in factors * 2))
    assert sorted({answer.status_code for answer in answers}) == [200, 401]
    assert sum(answer.status_code == 200 for answer in answers) == 1


async def test_five_tries_and_then_waits_that_grow(hortus: Hortus, travel: time_machine.Traveller):
    app, client = await set_up(await hortus.customer(EMAIL)), hortus.anonymous()
    travel.shift(30)
    challenge = (await first_step(client, EMAIL))["challenge"]
    answers = await asyncio.gather(*(second_step(client, challenge, code=app.wrong()) for _ in range(20)))
    seen = Counter(code_of(answer) for answer in answers)
    assert seen == {(401, "bad_second_factor"): 5, (401, "bad_challenge"): 15}
    assert code_of(await second_step(client, challenge, code=app.code())) == (401, "bad_challenge")
    for wait in (30, 60, 120):
        challenge = (await first_step(client, EMAIL))["challenge"]
        blocked = await second_step(client, challenge, code=app.code())
        assert code_of(blocked) == (429, "second_factor_blocked")
        assert wait - 5 <= blocked.json()["retry_after"] <= wait + 1
        assert blocked.headers["retry-after"] == str(blocked.json()["retry_after"])
        travel.shift(wait + 1)
        again = await second_step(client, challenge, code=app.wrong())
        assert (again.status_code, again.json()["tries_left"]) == (401, 4)  # a blocked try cost none
    travel.shift(241)
    challenge = (await first_step(client, EMAIL))["challenge"]
    assert (await second_step(client, challenge, code=app.code())).status_code == 200
    challenge = (await first_step(client, EMAIL))["challenge"]  # a good code forgives the wrong ones
    assert code_of(await second_step(client, challenge, code=app.wrong())) == (401, "bad_second_factor")


async def test_a_challenge_lasts_five_minutes(hortus: Hortus, travel: time_machine.Traveller):
    app, client = await set_up(await hortus.customer(EMAIL)), hortus.anonymous()
    challenge = (await first_step(client, EMAIL))["challenge"]
    travel.shift(301)
    assert code_of(await second_step(client, challenge, code=app.code())) == (401, "bad_challenge")
    assert code_of(await second_step(client, "no such thing", code=app.code())) == (401, "bad_challenge")


async def test_a_recovery_code_works_once_however_it_is_written(hortus: Hortus, travel: time_machine.Traveller):
    owner, client = await hortus.customer(EMAIL), hortus.anonymous()
    app = await set_up(owner)
    first, second = app.recovery_codes[:2]
    asked = [await first_step(client, EMAIL) for _ in range(10)]
    answers = await asyncio.gather(*(second_step(client, each["challenge"], recovery_code=first) for each in asked))
    assert sum(answer.status_code == 200 for answer in answers) == 1
    assert (await owner.get("/api/auth/totp")).json()["recovery_codes_left"] == 9
    travel.shift(3601)
    challenge = (await first_step(client, EMAIL))["challenge"]
    written = second.replace("-", " ").upper()
    assert (await second_step(client, challenge, recovery_code=written)).status_code == 200
    recent = await owner.post("/api/auth/totp/recovery-codes")
    assert code_of(recent) == (401, "unauthenticated")  # the hour ended the access token


async def test_new_recovery_codes_end_the_old_ones(hortus: Hortus, travel: time_machine.Traveller):
    owner, client = await hortus.customer(EMAIL), hortus.anonymous()
    app = await set_up(owner)
    fresh = (await owner.post("/api/auth/totp/recovery-codes")).json()["recovery_codes"]
    assert not set(fresh) & set(app.recovery_codes)
    challenge = (await first_step(client, EMAIL))["challenge"]
    old = await second_step(client, challenge, recovery_code=app.recovery_codes[0])
    assert code_of(old) == (401, "bad_second_factor")
    assert (await second_step(client, challenge, recovery_code=fresh[0])).status_code == 200


async def test_sensitive_operations_require_step_up(hortus: Hortus, travel: time_machine.Traveller):
    client = await hortus.customer(EMAIL)
    app = await set_up(client)
    travel.shift(601)
    for path, body in (
        ("setup", None),
        ("confirm", {"code": app.code()}),
        ("disable", {"code": app.code()}),
        ("recovery-codes", None),
    ):
        answer = await client.post(f"/api/auth/totp/{path}", json=body)
        assert code_of(answer) == (403, "reauthentication_required"), path
    wrong = await client.post("/api/auth/totp/reauthenticate", json={"code": app.wrong()})
    assert code_of(wrong) == (401, "bad_second_factor")
    reauthenticated = await client.post("/api/auth/totp/reauthenticate", json={"code": app.code()})
    assert (reauthenticated.status_code, reauthenticated.json()["method"]) == (200, "totp")
    used = await client.post("/api/auth/totp/disable", json={"code": app.code()})
    assert code_of(used) == (401, "bad_second_factor")
    done = await client.post("/api/auth/totp/disable", json={"recovery_code": app.recovery_codes[0]})
    assert done.status_code == 204


async def test_secrets_are_unreadable_at_rest(hortus: Hortus):
    client = await hortus.customer(EMAIL)
    secret = (await client.post("/api/auth/totp/setup")).json()["secret"]
    app = App(secret)
    recovery = (await client.post("/api/auth/totp/confirm", json={"code": app.code()})).json()["recovery_codes"]
    challenge = (await first_step(hortus.anonymous(), EMAIL))["challenge"]
    async with hortus.database.snapshot() as tx:
        rows = [
            str((await tx.execute(text(f"SELECT * FROM {table}"))).all())
            for table in ("totp_factors", "recovery_codes", "second_factor_challenges")
        ]
        sealed = (await tx.execute(text("SELECT sealed FROM totp_factors"))).scalar_one()
    for hidden in (secret, *recovery, recovery[0].replace("-", ""), challenge):
        assert all(hidden not in row for row in rows)
    user_id, keys = client.tokens["user"]["id"], hortus.settings.keys_for("second factors")
    assert totp.decrypt(keys, user_id, sealed) == secret
    assert totp.decrypt((b"newer", *keys), user_id, sealed) == secret
    assert totp.decrypt(keys, "somebody else", sealed) is None
    assert totp.decrypt((b"another key",), user_id, sealed) is None


async def test_another_key_refuses_codes_and_breaks_nothing(
    database_url: str, tmp_path, travel: time_machine.Traveller
):
    async with serve(database_url, tmp_path) as hortus:
        app = await set_up(await hortus.customer(EMAIL))
    travel.shift(30)
    async with serve(database_url, tmp_path, secret_key="another key of an installation, long") as hortus:
        challenge = (await first_step(hortus.anonymous(), EMAIL))["challenge"]
        for factor in ({"code": app.code()}, {"recovery_code": app.recovery_codes[0]}):
            answer = await second_step(hortus.anonymous(), challenge, **factor)
            assert code_of(answer) == (401, "bad_second_factor")


async def test_a_previous_key_still_opens_and_hashes(database_url: str, tmp_path, travel: time_machine.Traveller):
    async with serve(database_url, tmp_path, secret_key="o" * 40) as hortus:
        app = await set_up(await hortus.customer(EMAIL))
    travel.shift(30)
    async with serve(database_url, tmp_path, secret_key="n" * 40, secret_key_previous=["o" * 40]) as hortus:
        for factor in ({"code": app.code()}, {"recovery_code": app.recovery_codes[0]}):
            challenge = (await first_step(hortus.anonymous(), EMAIL))["challenge"]
            assert (await second_step(hortus.anonymous(), challenge, **factor)).status_code == 200


async def test_bad_bodies(hortus: Hortus):
    client = await hortus.customer()
    for path, body in (
        ("confirm", {"code": "12345"}),
        ("confirm", {"code": 123456}),
        ("disable", {}),
        ("disable", {"code": "123456", "recovery_code": "abcde-fghjk"}),
        ("verify", {"challenge": "x"}),
        ("verify", {"challenge": "x" * 300, "code": "123456"}),
        ("verify", {"challenge": "null\x00byte", "code": "123456"}),
        ("reauthenticate", {"recovery_code": "x" * 1000}),
    ):
        assert code_of(await client.post(f"/api/auth/totp/{path}", json=body)) == (422, "invalid_request"), (path, body)
    for code in ("123456", "１２３４５６", "123 456."):
        assert code_of(await client.post("/api/auth/totp/confirm", json={"code": code})) == (409, "totp_not_active")


def test_a_recovery_code_is_the_same_however_it_is_pasted():
    keys = [b"k" * 32]
    made = totp.recovery_codes()[0]
    wide = "".join(chr(ord(c) + 0xFEE0) if c.isalnum() else "\u2011" for c in made.upper())
    assert totp.digests_of_code(keys, "u", f"\ufeff{wide}.\u00a0") == totp.digests_of_code(keys, "u", made)
