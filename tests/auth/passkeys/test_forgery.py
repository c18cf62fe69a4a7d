"""What a server must refuse: each thing that can be bent in what a browser says, and every repeat."""

import asyncio
import base64
import random
import time
from collections import Counter
from typing import Any

import httpx2
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text
from tests.auth.mfa.authenticator_app import first_step, set_up
from tests.auth.passkeys.authenticator import PRESENT, VERIFIED, Authenticator, asked, make_passkey, send, unb64
from tests.helpers.server import Hortus

from hortus import auth

EMAIL = "asha@example.com"
BENT: dict[str, dict[str, Any]] = {
    "another site": {"origin": "https://localhost.example.com"},
    "another port": {"origin": "http://localhost:9000"},
    "no site": {"origin": None},
    "a frame": {"cross_origin": True},
    "another name of the site": {"rp_id": "example.com"},
    "another challenge": {"challenge": "bm90IG91cnM"},
    "no challenge": {"challenge": ""},
    "a challenge that is no text": {"challenge": 7},
    "user not verified": {"flags": PRESENT},
    "user not there": {"flags": VERIFIED},
    "backed up but not able to be": {"flags": PRESENT | VERIFIED | 0x10},
}
BENT_NEW = {
    "the other ceremony": {"type": "webauthn.get"},
    "an unknown format": {"fmt": "homemade"},
    "a statement where none is": {"statement": {"sig": b"x"}},
    "no algorithm of ours": {"cose": {1: 2, 3: -47, -1: 8, -2: b"x" * 32, -3: b"y" * 32}},
    "a point off the curve": {"cose": {1: 2, 3: -7, -1: 1, -2: b"x" * 32, -3: b"y" * 32}},
    "no key": {"cose": {}},
    "a key that is no map": {"cose": [1, 2]},
    "a key too large": {"cose": {1: 3, 3: -257, -1: b"\xff" * 2000, -2: b"\x01\x00\x01"}},
    **BENT,
}
BENT_USE = {
    "the other ceremony": {"type": "webauthn.create"},
    "another key": {"private": ec.generate_private_key(ec.SECP256R1())},
    "another user": {"user_handle": b"0198c0de-0000-7000-8000-000000000000"},
    "no user": {"user_handle": None},
    "changed after signing": {"said_after": b"{}"},
    "data changed after signing": {"data_after": b"x" * 37},
    "too little data": {"data_after": b"x"},
    **BENT,
}


def code_of(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_no_bent_registration_is_kept(hortus: Hortus):
    client = await hortus.customer()
    for what, bent in BENT_NEW.items():
        credential = Authenticator().create(await asked(client, "register"), **bent)
        assert code_of(await send(client, "register", credential)) == (422, "passkey_not_verified"), what
    options = await asked(await hortus.customer(), "register")  # asked for by somebody else
    refused = await send(client, "register", Authenticator().create(options))
    assert code_of(refused) == (422, "passkey_not_verified")
    assert (await client.get("/api/auth/passkey")).json()["items"] == []


async def test_no_bent_signature_signs_in(hortus: Hortus):
    client, device, visitor = await hortus.customer(EMAIL), Authenticator(), hortus.anonymous()
    await make_passkey(client, device)
    for what, bent in BENT_USE.items():
        credential = device.get(await asked(visitor, "login"), **bent)
        assert code_of(await send(visitor, "login", credential)) == (401, "bad_passkey"), what
    assert (await client.get("/api/auth/passkey")).json()["items"][0]["last_used_at"] is None
    good = await send(visitor, "login", device.get(await asked(visitor, "login")))
    assert good.json()["user"]["email"] == EMAIL


async def test_a_key_opens_its_own_account_alone(hortus: Hortus):
    mine, yours = Authenticator(), Authenticator()
    me, you = await hortus.customer(), await hortus.customer()
    await make_passkey(me, mine)
    await make_passkey(you, yours)
    visitor = hortus.anonymous()
    swapped = yours.get(await asked(visitor, "login"))
    signed = mine.get(await asked(visitor, "login"))
    for part in ("id", "rawId"):
        signed[part] = swapped[part]  # my signature under your key's name
    assert code_of(await send(visitor, "login", signed)) == (401, "bad_passkey")
    handle = mine.get(await asked(visitor, "login"), user_handle=yours.keys[0].user_handle)
    assert code_of(await send(visitor, "login", handle)) == (401, "bad_passkey")


async def test_a_signature_counts_once_and_for_five_minutes(hortus: Hortus):
    client, device, visitor = await hortus.customer(), Authenticator(), hortus.anonymous()
    await make_passkey(client, device)
    signed = device.get(await asked(visitor, "login"))
    answers = await asyncio.gather(*(send(visitor, "login", signed) for _ in range(10)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 9}
    spoilt = await asked(visitor, "login")
    assert (await send(visitor, "login", device.get(spoilt, flags=PRESENT))).status_code == 401
    assert code_of(await send(visitor, "login", device.get(spoilt))) == (401, "bad_passkey")  # one challenge, one try
    signed = device.get(await asked(visitor, "login"))
    with time_machine.travel(time.time() + 301, tick=True):
        assert code_of(await send(visitor, "login", signed)) == (401, "bad_passkey")


async def test_a_counter_that_goes_back_is_noticed(hortus: Hortus):
    client, device, visitor = await hortus.customer(), Authenticator(step=1), hortus.anonymous()
    await make_passkey(client, device)
    assert (await send(visitor, "login", device.get(await asked(visitor, "login")))).status_code == 200
    for count in (device.count, 1, 0):
        copied = device.get(await asked(visitor, "login"), count=count)
        assert code_of(await send(visitor, "login", copied)) == (401, "passkey_copied"), count
    shown = (await client.get("/api/auth/passkey")).json()["items"][0]
    assert shown["regressed_at"] is not None
    # Of parallel uses with one count, as by two copies, one is good.
    device.count = 50
    signed = [device.get(await asked(visitor, "login"), count=60) for _ in range(5)]
    answers = await asyncio.gather(*(send(visitor, "login", each) for each in signed))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 4}


async def test_only_a_digest_of_the_challenge_is_kept(hortus: Hortus):
    options = await asked(hortus.anonymous(), "login")
    async with hortus.database.snapshot() as tx:
        kept = str((await tx.execute(text("SELECT * FROM passkey_challenges"))).all())
    assert options["challenge"] not in kept
    assert unb64(options["challenge"]).hex() not in kept


async def test_unused_challenges_are_swept(hortus: Hortus):
    client = await hortus.customer(EMAIL)
    await set_up(client)
    await first_step(hortus.anonymous(), EMAIL)
    await asked(client, "login")
    for minutes, swept in ((4, 0), (6, 1)):
        with time_machine.travel(time.time() + minutes * 60, tick=True):
            async with hortus.database.transaction() as tx:
                assert await auth.sweep_passkey_challenges(tx) == swept
                assert await auth.sweep_challenges(tx) == swept


@pytest.mark.parametrize("what", ["register", "login"])
async def test_noise_is_refused_in_words(hortus: Hortus, what: str):
    """Bytes of good answers, changed at random: never a 500, and no signature is let in."""
    client, device, noise = await hortus.customer(), Authenticator(), random.Random(7)
    await make_passkey(client, device)
    good = device.create(await asked(client, "register")) if what == "register" else None
    for _ in range(60):
        credential = good or device.get(await asked(client, "login"))
        response = dict(credential["response"])
        name = noise.choice([name for name in response if response[name] and name != "transports"])
        raw = bytearray(unb64(response[name]))
        for _ in range(noise.randint(1, 3)):
            raw[noise.randrange(len(raw))] = noise.randrange(256)
        if raw == unb64(response[name]):
            continue
        response[name] = base64.urlsafe_b64encode(raw[: noise.choice([len(raw), noise.randint(1, len(raw))])]).decode()
        response[name] = response[name].rstrip("=")
        answer = await send(client, what, {**credential, "response": response})
        if what == "register" and answer.status_code == 201:  # nobody signs a new key: it may count from anywhere
            good = device.create(await asked(client, "register"), key_id=noise.randbytes(16))
            continue
        assert code_of(answer) in ((401, "bad_passkey"), (422, "passkey_not_verified"))


async def test_bad_bodies(hortus: Hortus):
    client, device = await hortus.customer(), Authenticator()
    await make_passkey(client, device)
    good = device.get(await asked(client, "login"))
    for bad in (
        {},
        {**good, "id": ""},
        {**good, "id": "null\x00"},
        {**good, "id": "x" * 2000},
        {**good, "type": "password"},
        {**good, "response": {}},
        {**good, "response": {**good["response"], "signature": "not base64url!"}},
        {**good, "response": {**good["response"], "clientDataJSON": "x" * 9000}},
        {**good, "response": {**good["response"], "userHandle": 7}},
    ):
        assert code_of(await send(client, "login", bad)) == (422, "invalid_request"), bad
    deep = base64.urlsafe_b64encode(b"[" * 5000).decode().rstrip("=")
    nested = {**good, "response": {**good["response"], "clientDataJSON": deep}}
    assert code_of(await send(client, "login", nested)) == (401, "bad_passkey")
    unknown = {**good, "id": "AAAA", "rawId": "AAAA"}
    assert code_of(await send(client, "login", unknown)) == (401, "bad_passkey")
    for name in ("", " ", "x" * 101, "new\nline"):
        answer = await client.patch("/api/auth/passkey/0198c0de-0000-7000-8000-000000000000", json={"name": name})
        assert code_of(answer) == (422, "invalid_request")
