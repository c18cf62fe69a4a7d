"""Invalid and forged responses of an OIDC provider: none of them signs a user in."""

import time
from typing import Any

import pytest
import time_machine
from joserfc.jwk import OctKey
from sqlalchemy import func, select
from tests.auth.oidc.conftest import Browser
from tests.emulators.oidc import OidcEmulator, ec_key, hmac_of_public_key, rsa_key, signed, unsigned
from tests.helpers.server import Hortus

from hortus.accounts.tables import Session, User

# What is told here is decided before any database is asked.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def nobody(hortus: Hortus) -> bool:
    async with hortus.database.snapshot() as tx:
        return not any(
            [(await tx.execute(select(func.count()).select_from(each))).scalar_one() for each in (User, Session)]
        )


NOW = int(time.time())
CLAIMS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example.com"},
    "an issuer that begins alike": {"iss": "http://127.0.0.1"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "somebody-else"},
    "no audience": {"aud": None},
    "an empty audience": {"aud": []},
    "an audience of another type": {"aud": {"hortus": 1}},
    "two audiences and no party": {"aud": ["hortus", "somebody-else"]},
    "two audiences and another party": {"aud": ["hortus", "somebody-else"], "azp": "somebody-else"},
    "another party": {"azp": "somebody-else"},
    "another nonce": {"nonce": "n" * 43},
    "no nonce": {"nonce": None},
    "an empty nonce": {"nonce": ""},
    "a nonce of another type": {"nonce": ["a"]},
    "expired": {"exp": NOW - 3600, "iat": NOW - 7200},
    "no expiry": {"exp": None},
    "an expiry that is none": {"exp": "tomorrow"},
    "an expiry that is no number": {"exp": float("nan")},
    "issued in the future": {"iat": NOW + 3600, "exp": NOW + 7200},
    "issued never": {"iat": None},
    "not good yet": {"nbf": NOW + 3600},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a number for a subject": {"sub": 7},
    "a long subject": {"sub": "a" * 256},
    "a subject with a NUL": {"sub": "a\0b"},
}


async def test_claims_that_do_not_hold(hortus: Hortus, browser: Browser, issuer: OidcEmulator):
    for lie, claims in CLAIMS.items():
        issuer.claims = claims
        said = await browser.code()
        assert said.get("oidc_error") == "oidc_refused", lie
    assert await nobody(hortus)
    issuer.claims = {}
    assert "oidc_code" in await browser.code()


async def test_two_audiences_are_good_when_we_are_the_party(browser: Browser, issuer: OidcEmulator):
    issuer.claims = {"aud": ["hortus", "another"], "azp": "hortus"}
    assert "oidc_code" in await browser.code()


def tampered(header: dict, claims: dict) -> str:
    """The claims of one token under the signature of another."""
    key = ec_key("k1")
    honest = signed(header, claims, key).split(".")
    forged = signed(header, {**claims, "sub": "somebody-else"}, key).split(".")
    return ".".join([honest[0], forged[1], honest[2]])


def with_key_inside(header: dict, claims: dict) -> str:
    own = ec_key("own")
    return signed({**header, "jwk": own.as_dict(private=False)}, claims, own)


FORGERIES = {
    "no algorithm": unsigned,
    "no algorithm, otherwise spelt": lambda header, claims: unsigned(header, claims).replace("Im5vbmUi", "Ik5vTmUi"),
    "a secret that is the public key": lambda header, claims: hmac_of_public_key(
        rsa_key(), {**header, "kid": "rsa"}, claims
    ),
    "an empty secret": lambda header, claims: signed({**header, "alg": "HS256"}, claims, OctKey.import_key(b"\0" * 32)),
    "another's key under a known id": lambda header, claims: signed(header, claims, ec_key("k1")),
    "another's key under an unknown id": lambda header, claims: signed(
        {**header, "kid": "evil"}, claims, ec_key("evil")
    ),
    "an id that reaches for a file": lambda header, claims: signed(
        {**header, "kid": "../../../../dev/null"}, claims, ec_key("x")
    ),
    "an id that asks the database": lambda header, claims: signed(
        {**header, "kid": "' OR 1=1 --"}, claims, ec_key("x")
    ),
    "an id of another type": lambda header, claims: unsigned({**header, "kid": ["k1"]}, claims),
    "an empty id": lambda header, claims: signed({**header, "kid": ""}, claims, ec_key("x")),
    "a key that it brings along": with_key_inside,
    "a key to be fetched elsewhere": lambda header, claims: signed(
        {**header, "jku": "http://127.0.0.1:1/keys", "x5u": "http://127.0.0.1:1/x"}, claims, ec_key("k1")
    ),
    "what it calls critical": lambda header, claims: unsigned({**header, "crit": ["own"], "own": 1}, claims),
    "changed claims": tampered,
    "a cut signature": lambda header, claims: signed(header, claims, ec_key("k1"))[:-20],
    "no signature": lambda header, claims: signed(header, claims, ec_key("k1")).rpartition(".")[0] + ".",
    "two parts": lambda header, claims: signed(header, claims, ec_key("k1")).rpartition(".")[0],
    "nothing": lambda _header, _claims: "",
    "no token": lambda _header, _claims: "..",
    "no JSON": lambda _header, _claims: "e30.e30.e30",
    "an endless one": lambda _header, _claims: "a" * 100_000,
    "signs of another alphabet": lambda _header, _claims: "ü.ü.ü",
    "a list": lambda _header, _claims: ["a"],
}


async def test_signatures_that_do_not_hold(hortus: Hortus, browser: Browser, issuer: OidcEmulator):
    issuer.published = [key.as_dict(private=False) for key in (issuer.key, rsa_key())]
    for forgery, forge in FORGERIES.items():
        issuer.forge = forge
        said = await browser.code()
        assert said.get("oidc_error") == "oidc_refused", forgery
    assert await nobody(hortus)
    issuer.forge = None
    assert "oidc_code" in await browser.code()  # neither was anything broken by the attempt


async def test_an_rsa_key_signs_too(browser: Browser, issuer: OidcEmulator):
    issuer.key = rsa_key()
    assert "oidc_code" in await browser.code()


async def test_an_algorithm_that_its_key_is_not_for(browser: Browser, issuer: OidcEmulator):
    issuer.key = rsa_key()  # published for RS256
    issuer.forge = lambda header, claims: signed(
        {**header, "alg": "PS256"}, claims, type(rsa_key()).import_key(rsa_key().as_pem(private=True))
    )
    assert (await browser.code())["oidc_error"] == "oidc_refused"


async def test_keys_may_change_at_any_time_and_are_asked_for_seldom(browser: Browser, issuer: OidcEmulator):
    with time_machine.travel(time.time(), tick=True) as clock:
        await browser.sign_in()
        await browser.sign_in()
        assert issuer.counts["GET /jwks"] == 1
        issuer.rotate()
        await browser.sign_in()
        assert issuer.counts["GET /jwks"] == 2
        issuer.forge = FORGERIES["another's key under an unknown id"]
        for _ in range(5):
            assert (await browser.code())["oidc_error"] == "oidc_refused"
        assert issuer.counts["GET /jwks"] == 2  # nobody can make us ask again and again
        issuer.forge = None
        issuer.rotate()
        clock.shift(31)
        await browser.sign_in()
        assert issuer.counts["GET /jwks"] == 3
        clock.shift(3601)
        await browser.sign_in()
        assert (issuer.counts["GET /jwks"], issuer.counts["GET /.well-known/openid-configuration"]) == (4, 2)


async def test_a_token_without_key_id_fits_only_where_there_is_no_choice(browser: Browser, issuer: OidcEmulator):
    issuer.forge = lambda header, claims: signed({"alg": header["alg"]}, claims, issuer.key)
    assert "oidc_code" in await browser.code()
    issuer.published = [issuer.key.as_dict(private=False), ec_key("k2").as_dict(private=False)]
    other = Browser(browser.hortus)
    with time_machine.travel(time.time() + 3700, tick=True):
        assert (await other.code())["oidc_error"] == "oidc_refused"


LURES: tuple[dict[str, Any], ...] = (
    {"issuer": "https://evil.example.com"},
    {"issuer": None},
    {"token_endpoint": None},
    {"token_endpoint": 7},
    {"token_endpoint": "http://169.254.169.254/token"},
    {"token_endpoint": "https://user@evil.example.com/"},
    {"jwks_uri": "file:///etc/passwd"},
    {"jwks_uri": "http://127.0.0.1:1/keys"},
    {"authorization_endpoint": "javascript:alert(1)"},
)


async def test_a_discovery_document_sends_us_nowhere(hortus: Hortus, browser: Browser, issuer: OidcEmulator):
    client, started = hortus.anonymous(), time.time()
    for number, lure in enumerate(LURES):
        issuer.metadata = lure
        with time_machine.travel(started + 6 * number, tick=True):  # a failure is not repeated for five seconds
            answer = await client.get("/api/auth/oidc/house")
        assert (answer.status_code, answer.json()["code"]) == (503, "oidc_unavailable"), lure
        assert "evil" not in answer.text
    assert issuer.counts["calls"] == len(LURES)


async def test_an_issuer_that_fails_is_a_503_and_mends(browser: Browser, issuer: OidcEmulator):
    started, number = time.time(), 0
    for mode in ("500", "503", "garbage", "cut", "half_headers", "hang"):
        for place in ("/.well-known", "/jwks", "/token"):
            number += 1
            issuer.fail(mode, path=place)
            with time_machine.travel(started + 3700 * number, tick=True):  # what was read is old by then
                answer = await browser.client.get("/api/auth/oidc/house")
                if place == "/.well-known":
                    assert (answer.status_code, answer.json()["code"]) == (503, "oidc_unavailable"), mode
                else:
                    said = await browser.callback(await browser.consent(answer.headers["location"]))
                    assert said.get("oidc_error") == "oidc_unavailable", (mode, place)
            issuer.heal()
            with time_machine.travel(started + 3700 * number + 10, tick=True):
                assert "oidc_code" in await browser.code()


async def test_a_callback_of_another_issuer(browser: Browser, issuer: OidcEmulator):
    for wrong in ("&iss=https://evil.example.com", "&iss=", ""):
        path = await browser.consent(await browser.start())
        kept = "&".join(part for part in path.split("&") if "iss=" not in part)
        assert (await browser.callback(kept + wrong))["oidc_error"] == "oidc_refused"
    assert issuer.counts["POST /token"] == 0


async def test_a_code_of_another_sign_in_fails_pkce(browser: Browser, issuer: OidcEmulator):
    mine, theirs = await browser.consent(await browser.start()), await Browser(browser.hortus).start()
    stolen = await browser.consent(theirs)
    code = stolen.partition("code=")[2].partition("&")[0]
    swapped = mine.replace(mine.partition("code=")[2].partition("&")[0], code)
    assert (await browser.callback(swapped))["oidc_error"] == "oidc_refused"
    assert issuer.counts["POST /token"] == 1


async def test_userinfo_of_another_user(browser: Browser, issuer: OidcEmulator):
    issuer.only_userinfo, issuer.userinfo = ("email", "email_verified"), {"sub": "somebody-else"}
    assert (await browser.code())["oidc_error"] == "oidc_refused"


async def test_an_address_and_its_verification_come_from_one_response(browser: Browser, issuer: OidcEmulator):
    issuer.only_userinfo, issuer.userinfo = ("email",), {"email": "victim@example.com", "email_verified": False}
    assert (await browser.sign_in())["user"]["email"] is None


async def test_the_secret_in_the_body_and_claims_outside_of_the_token(browser: Browser, issuer: OidcEmulator):
    issuer.basic = False
    issuer.only_userinfo = ("email", "email_verified", "name")
    assert (await browser.sign_in())["user"]["email"] == "asha@example.com"
