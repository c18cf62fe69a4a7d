"""What new passwords are refused, with the list of leaks there, away and misbehaving."""

import time
from collections.abc import AsyncIterator

import pytest
import structlog
from tests.emulators.breaches import BreachEmulator, sha1
from tests.serving import PASSWORD, serve

from hortus.accounts import check_strength
from hortus.accounts.errors import WeakPassword
from hortus.accounts.new_passwords import BreachSettings, NewPasswords
from hortus.core.db import Database
from hortus.core.http import CallInsideTransaction, Http
from hortus.core.settings import Settings

LEAKED = "truly leaked passphrase 77"


@pytest.fixture
async def breaches() -> AsyncIterator[BreachEmulator]:
    async with BreachEmulator(leaked={LEAKED}) as emulator:
        yield emulator


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with Http() as client:
        yield client


def judge(http: Http, emulator: BreachEmulator, check: str = "on", seconds: float = 5.0, **settings) -> NewPasswords:
    chosen = BreachSettings(check=check, url=f"{emulator.url}/range/", seconds=seconds)
    return NewPasswords(Settings(secret_key="k" * 40, **settings), http, chosen)


@pytest.mark.parametrize(
    ("password", "known"),
    [
        ("password1", ()),
        ("Passw0rd!", ()),
        ("qwertyuiop", ()),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ()),
        ("1234567890" * 12, ()),
        ("asharao1987", ("asha.rao1987@example.com",)),
        ("Hortus2026", ()),
        ("iloveyou1", ()),
    ],
)
def test_what_is_guessed_quickly_is_refused_with_advice(password: str, known: tuple[str, ...]):
    with pytest.raises(WeakPassword) as refused:
        check_strength(password, *known)
    assert refused.value.extra["feedback"]


@pytest.mark.parametrize(
    "password", [PASSWORD, "x7$Kq!mZ2w", "long " * 5 + "words make it good" * 5, "पासवर्ड नहीं है यह"]
)
def test_what_is_not_is_taken(password: str):
    check_strength(password, "asha@example.com", None, "Asha")


def test_judging_takes_no_time_whatever_is_sent():
    """Passwords of letterlike signs alone once took eleven seconds."""
    started = time.perf_counter()
    for password in ("@4({[<69!1|/3$5+70z2%%" * 6, "({[<1|" * 20, "1|!7+$" * 20):
        check_strength(password[:128])
    assert time.perf_counter() - started < 5


async def test_a_leaked_password_is_refused_and_its_hash_never_leaves(http: Http, breaches: BreachEmulator):
    with pytest.raises(WeakPassword) as refused:
        await judge(http, breaches).check(LEAKED)
    assert "leaked" in refused.value.detail
    await judge(http, breaches).check(PASSWORD)
    await judge(http, breaches).check("padded but never leaked 9")
    assert [call.path for call in breaches.calls][:2] == [f"/range/{sha1(LEAKED)[:5]}", f"/range/{sha1(PASSWORD)[:5]}"]
    sent = repr(breaches.calls)
    assert LEAKED not in sent
    assert sha1(LEAKED)[5:] not in sent


@pytest.mark.parametrize("mode", ["error", "rate_limited", "garbage", "cut", "half_headers", "hang"])
async def test_a_list_that_fails_lets_the_password_through_and_is_left_alone(
    http: Http, breaches: BreachEmulator, mode: str
):
    breaches.fail(mode)
    chosen = judge(http, breaches, seconds=0.3)
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            await chosen.check(LEAKED)
    assert [line["event"] for line in lines] == ["breach_check_skipped"]
    assert breaches.counts["calls"] <= 2  # the client itself asks again when a connection ends within the head
    with pytest.raises(WeakPassword):
        await chosen.check("password1")


async def test_it_is_asked_only_where_wanted(http: Http, breaches: BreachEmulator):
    await judge(http, breaches, "off", host="0.0.0.0").check(LEAKED)
    await judge(http, breaches, "auto").check(LEAKED)
    assert breaches.counts["calls"] == 0
    for public in ({"host": "0.0.0.0"}, {"public_url": "https://hortus.example.com"}):
        with pytest.raises(WeakPassword):
            await judge(http, breaches, "auto", **public).check(LEAKED)


async def test_it_is_never_asked_inside_a_transaction(http: Http, breaches: BreachEmulator, database: Database):
    async with database.transaction():
        with pytest.raises(CallInsideTransaction):
            await judge(http, breaches).check(LEAKED)


async def test_signing_up_refuses_it(database_url: str, tmp_path, breaches: BreachEmulator, monkeypatch):
    monkeypatch.setenv("PASSWORD_BREACH_CHECK", "on")
    monkeypatch.setenv("PASSWORD_BREACH_URL", f"{breaches.url}/range")
    async with serve(database_url, tmp_path) as hortus:
        body = {"email": "a@example.com", "password": LEAKED, "accept_terms": True}
        refused = await hortus.anonymous().post("/api/auth/register", json=body)
        assert (refused.status_code, refused.json()["code"]) == (422, "weak_password")
        assert refused.json()["feedback"]
        long = {**body, "password": "a passphrase that is far too long for zxcvbn to judge, " * 2 + "and good"}
        assert (await hortus.anonymous().post("/api/auth/register", json=long)).status_code == 201
