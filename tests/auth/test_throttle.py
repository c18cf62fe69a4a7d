"""The login throttle delays attackers, does not lock owners out, and reveals no accounts."""

import asyncio
import itertools
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
import time_machine
from sqlalchemy import text
from tests.helpers.server import PASSWORD, Hortus, serve

from hortus import auth
from hortus.accounts.devices import KnownDevice
from hortus.auth import throttle
from hortus.auth.throttle import Bucket, Throttle, consume, refund, sweep_buckets
from hortus.core.db import Database
from hortus.core.errors import TooManyRequests
from hortus.core.settings import Settings

HOME = "203.0.113.5"
LIMITS = {"login": "10000/minute", "register": "10000/minute", "reauthenticate": "10000/minute"}
EVERYWHERE = (f"198.51.{block}.{host}" for block, host in itertools.product(range(256), range(1, 255)))


@pytest.fixture
def server_options() -> dict[str, Any]:
    return {"rate_limits_enabled": True, "rate_limits": LIMITS, "trusted_proxies": "127.0.0.1"}


def at(hortus: Hortus, address: str) -> httpx2.AsyncClient:
    client = hortus.anonymous()
    client.headers["X-Forwarded-For"] = address
    return client


async def owner(hortus: Hortus, email: str) -> httpx2.AsyncClient:
    client = at(hortus, HOME)
    body = {"email": email, "password": PASSWORD, "accept_terms": True}
    assert (await client.post("/api/auth/register", json=body)).status_code == 201
    return client


async def login(client: httpx2.AsyncClient, email: str, password: str = "wrong") -> httpx2.Response:
    return await client.post("/api/auth/login", json={"email": email, "password": password})


async def attack(hortus: Hortus, email: str, addresses: int) -> list[int]:
    return [(await login(at(hortus, next(EVERYWHERE)), email)).status_code for _ in range(addresses)]


async def test_one_attacker_waits_longer_each_time(hortus: Hortus):
    await owner(hortus, "a@example.com")
    attacker = at(hortus, next(EVERYWHERE))
    with time_machine.travel(time.time(), tick=False) as moment:
        statuses = [(await login(attacker, "a@example.com")).status_code for _ in range(12)]
        assert statuses == [401] * 11 + [429]
        waits = []
        for _ in range(10):
            refused = await login(attacker, "a@example.com", PASSWORD)
            assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
            assert refused.headers["retry-after"] == str(refused.json()["retry_after"])
            waits.append(refused.json()["retry_after"])
            moment.shift(waits[-1])
            assert (await login(attacker, "a@example.com")).status_code == 401
        assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
        moment.shift(3601)
        assert (await login(attacker, "a@example.com", PASSWORD)).status_code == 200


async def test_an_attack_from_everywhere_never_keeps_the_owner_out(hortus: Hortus):
    at_home = await owner(hortus, "a@example.com")
    with time_machine.travel(time.time(), tick=False):
        assert (await attack(hortus, "a@example.com", 24))[-1] == 429
        assert (await login(at(hortus, next(EVERYWHERE)), "a@example.com", PASSWORD)).status_code == 429
        # From home, on any device; and on a device that was used before, wherever it is now.
        at_home.headers["X-Forwarded-For"] = next(EVERYWHERE)
        for client in (at(hortus, HOME), at_home):
            assert (await login(client, "a@example.com")).status_code == 401
            assert (await login(client, "a@example.com", PASSWORD)).status_code == 200
        forged = at(hortus, next(EVERYWHERE))
        device_id = at_home.cookies["hortus_device"].partition(".")[0]
        forged.cookies.set("hortus_device", f"{device_id}.{'A' * 43}")
        assert (await login(forged, "a@example.com", PASSWORD)).status_code == 429


async def test_an_attacker_beside_the_owner_does_not_keep_their_device_out(hortus: Hortus):
    device = await owner(hortus, "a@example.com")
    neighbour = at(hortus, HOME)
    assert [(await login(neighbour, "a@example.com")).status_code for _ in range(14)][-1] == 429
    assert (await login(device, "a@example.com", PASSWORD)).status_code == 200


async def test_unknown_accounts_are_slowed_alike(hortus: Hortus):
    await owner(hortus, "a@example.com")
    with time_machine.travel(time.time(), tick=False):
        for attackers in (24, 1):
            found = []
            for email in ("a@example.com", "nobody@example.com"):
                client = at(hortus, next(EVERYWHERE))
                answers = [await login(client, email) for _ in range(13)] if attackers == 1 else []
                statuses = await attack(hortus, email, attackers) if attackers > 1 else []
                bodies = [{**each.json(), "request_id": ""} for each in answers]
                found.append((statuses, bodies, [each.headers.get("retry-after") for each in answers]))
            assert found[0] == found[1]


async def test_one_source_that_tries_many_accounts_is_slowed(hortus: Hortus):
    spray = at(hortus, next(EVERYWHERE))
    with time_machine.travel(time.time(), tick=False):
        statuses = [(await login(spray, f"u{number}@example.com")).status_code for number in range(53)]
    assert statuses == [401] * 51 + [429] * 2


async def test_good_sign_ins_are_never_counted(hortus: Hortus):
    client = await owner(hortus, "a@example.com")
    for chosen in (client, at(hortus, next(EVERYWHERE))):
        for _ in range(14):
            assert (await login(chosen, "a@example.com", PASSWORD)).status_code == 200
            chosen.cookies.clear()


async def test_a_password_given_again_is_slowed(hortus: Hortus):
    client = await owner(hortus, "a@example.com")
    tokens = (await login(client, "a@example.com", PASSWORD)).json()
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"

    async def again(password: str) -> int:
        return (await client.post("/api/auth/reauthenticate", json={"password": password})).status_code

    assert [await again("wrong") for _ in range(10)] == [403] * 10
    assert await again(PASSWORD) == 200
    assert 429 in [await again("wrong") for _ in range(14)]


async def test_stored_buckets_contain_no_names(hortus: Hortus):
    await login(at(hortus, HOME), "a@example.com")
    async with hortus.database.snapshot() as tx:
        rows = repr((await tx.execute(text("SELECT * FROM login_throttle_buckets"))).all())
    assert "example" not in rows
    assert HOME not in rows


async def test_without_rate_limits_there_is_no_delay(database_url: str, tmp_path: Path):
    async with serve(database_url, tmp_path) as hortus:
        client = hortus.anonymous()
        assert {(await login(client, "a@example.com")).status_code for _ in range(13)} == {401}


async def test_parallel_tries_cannot_slip_past(database: Database):
    bucket = Bucket("k" * 64, free=5, longest=300, own=True)

    async def one() -> bool:
        try:
            async with database.transaction() as tx:
                await consume(tx, [bucket])
        except TooManyRequests:
            return False
        return True

    passed = sum(await asyncio.gather(*(one() for _ in range(40))))
    assert 6 <= passed <= 9  # each beyond the sixth has waited 1, 2, 4 seconds


async def test_a_refused_try_is_counted_nowhere(database: Database):
    open_lane, full = Bucket("a" * 64, 100, 300, own=True), Bucket("b" * 64, 0, 300, own=True)
    async with database.transaction() as tx:
        await consume(tx, [full])
    async with database.transaction() as tx:
        await consume(tx, [full])
    with pytest.raises(TooManyRequests):
        async with database.transaction() as tx:
            await consume(tx, [open_lane, full])
    async with database.snapshot() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM login_throttle_buckets"))).scalar_one() == 1


async def test_a_refund_decrements_a_shared_bucket_by_one(database: Database):
    shared = Bucket("s" * 64, 3, 30, own=False)
    for _ in range(3):
        async with database.transaction() as tx:
            await consume(tx, [shared])
    async with database.transaction() as tx:
        await refund(tx, [shared])
    async with database.snapshot() as tx:
        assert (await tx.execute(text("SELECT failures FROM login_throttle_buckets"))).scalar_one() == 2


async def test_expired_buckets_are_deleted(database: Database):
    async with database.transaction() as tx:
        await consume(tx, [Bucket("s" * 64, 3, 30, own=False)])
        assert await sweep_buckets(tx) == 0
    with time_machine.travel(time.time() + 3700, tick=True):
        async with database.transaction() as tx:
            assert await sweep_buckets(tx) == 1


def test_buckets_of_two_installations_differ():
    nowhere = KnownDevice(None, network=False)
    made = [Throttle(Settings(secret_key=key * 40)).for_sign_in("email a", HOME, nowhere) for key in "ab"]
    assert not {bucket.key for bucket in made[0]} & {bucket.key for bucket in made[1]}
    assert len(made[0]) == 3
    assert auth.Throttle is throttle.Throttle


async def test_a_password_changed_meanwhile_opens_no_session(hortus: Hortus):
    from hortus.auth import password_login
    from hortus.auth.errors import BadCredentials

    await owner(hortus, "a@example.com")
    async with hortus.database.snapshot() as tx:
        user_id, stored = (await tx.execute(text("SELECT id, password_hash FROM users"))).one()
    verified = password_login.VerifiedPassword(user_id, stored, None, ())
    async with hortus.database.transaction() as tx:
        await password_login.complete(tx, verified)
        await tx.execute(text("UPDATE users SET password_hash = 'another'"))
    with pytest.raises(BadCredentials):
        async with hortus.database.transaction() as tx:
            await password_login.complete(tx, verified)
