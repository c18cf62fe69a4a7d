"""What new passwords are refused, with the list of leaks there, away and misbehaving."""

import hashlib
import time
import unicodedata
from collections.abc import AsyncIterator

import pytest
import structlog
from tests.emulators.breaches import BreachEmulator, sha1
from tests.helpers.server import PASSWORD, serve

from hortus.auth import check_strength, service_names
from hortus.auth.errors import WeakPassword
from hortus.auth.password_policy import BreachSettings, PasswordPolicy
from hortus.auth.passwords import PasswordPool
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


def judge(http: Http, emulator: BreachEmulator, check: str = "on", seconds: float = 5.0, **settings) -> PasswordPolicy:
    chosen = BreachSettings(check=check, url=f"{emulator.url}/range/", seconds=seconds)
    return PasswordPolicy(Settings(secret_key="k" * 40, **settings), http, chosen)


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


MADE_OF_NAMES = (
    "Hortus123!",
    "hortus-server",
    "H0rtu5-2026!",
    "Hor7us#Admin",
    "sutroh-2026x",
    "h o r t u s 1 2 3",
    "hortus-hortus-hortus",
    "ImageGarden2026!",
    "image-garden-login",
    "Verdant-Labs-99",
    "verdantstudio1!",
    "asharao-2026!!",
)


@pytest.mark.parametrize("password", MADE_OF_NAMES)
async def test_no_password_is_made_of_the_name_of_the_service_or_of_the_user(http: Http, password: str):
    settings = Settings(secret_key="k" * 40, public_url="https://verdantstudio.example.com")
    names = service_names(settings, "Image Garden", "Verdant Labs Private Limited")
    judged = PasswordPolicy(settings, http, BreachSettings(check="off"), names)
    with pytest.raises(WeakPassword) as refused:
        await judged.check(password, "asha.rao@example.com", "Asha Rao")
    assert refused.value.extra["feedback"]
    await judged.check("hortus and seven violet umbrellas", "asha.rao@example.com", "Asha Rao")


FORMS = ("NFC", "NFD", "NFKC", "NFKD")
SPOKEN = "pâté für Łukasz, Ångström und Đặng"


@pytest.mark.parametrize("form", FORMS)
async def test_a_password_is_the_same_however_its_letters_are_composed(form: str):
    pool = PasswordPool()
    stored = await pool.hash(unicodedata.normalize(form, SPOKEN))
    for other in FORMS:
        assert (await pool.verify(unicodedata.normalize(other, SPOKEN), stored)) == (True, None)
    assert (await pool.verify(SPOKEN.replace("â", "a"), stored)) == (False, None)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("typed", ["NFC", "NFD"])
async def test_an_old_hash_of_another_form_opens_and_is_replaced(form: str, typed: str):
    raw = unicodedata.normalize(form, SPOKEN).encode()
    salt = "saltsalt"
    old = f"pbkdf2:sha256:1000${salt}${hashlib.pbkdf2_hmac('sha256', raw, salt.encode(), 1000).hex()}"
    pool = PasswordPool()
    good, fresh = await pool.verify(unicodedata.normalize(typed, SPOKEN), old)
    assert good
    assert fresh is not None
    assert await pool.verify(unicodedata.normalize("NFC", SPOKEN), fresh) == (True, None)
    assert await pool.verify("pâté", old) == (False, None)


async def test_a_password_is_set_in_one_form_and_signs_in_by_the_other(database_url: str, tmp_path):
    async with serve(database_url, tmp_path) as hortus:
        client = hortus.anonymous()
        composed, taken_apart = (unicodedata.normalize(form, SPOKEN) for form in ("NFC", "NFD"))
        body = {"email": "a@example.com", "password": taken_apart, "accept_terms": True}
        made = await client.post("/api/auth/register", json=body)
        assert made.status_code == 201, made.text
        for password in (composed, taken_apart):
            answer = await client.post("/api/auth/login", json={"email": "a@example.com", "password": password})
            assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        new = unicodedata.normalize("NFD", "Ünübersehbar schöne Gärten")
        change = {"current_password": composed, "new_password": new}
        assert (await client.post("/api/user/change-password", json=change)).status_code == 200
        answer = await client.post(
            "/api/auth/login", json={"email": "a@example.com", "password": unicodedata.normalize("NFC", new)}
        )
        assert answer.status_code == 200
        short = {"email": "b@example.com", "accept_terms": True}
        for form in ("NFC", "NFD"):  # seven letters are seven, however many characters they are sent as
            refused = await client.post(
                "/api/auth/register", json={**short, "password": unicodedata.normalize(form, "é" * 7)}
            )
            assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


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
    # A safe call is repeated once on a fresh connection, and the client itself repeats each when its connection is cut.
    assert breaches.counts["calls"] <= 4
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
