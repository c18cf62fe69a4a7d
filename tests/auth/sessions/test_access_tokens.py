"""Access tokens that are forged, changed or expired."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import time_machine
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from hortus import auth
from hortus.core import ids
from hortus.core.configuration import UnsafeSettings
from hortus.core.errors import Unauthenticated
from hortus.core.settings import Settings

ROOT = "r" * 40
USER, SESSION = ids.new(), ids.new()


def settings(root: str = ROOT, **more: Any) -> Settings:
    return Settings(data_dir=Path("unused"), secret_key=root, **more)


def key(root: str = ROOT) -> OctKey:
    return OctKey.import_key(settings(root).keys_for("access tokens")[0])


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {"iss": "hortus", "aud": "hortus-api", "sub": USER, "sid": SESSION, "iat": now, "nbf": now, "exp": now + 900}
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def signed(header: dict[str, Any] | None = None, root: str = ROOT, **changes: Any) -> str:
    head = {"alg": "HS256", "typ": "at+jwt", **(header or {})}
    return jwt.encode(head, claims(**changes), key(root), algorithms=["HS256", "HS384", "HS512"])


def b64(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def with_head(head: dict[str, Any]) -> str:
    return ".".join([b64(head), *signed().split(".")[1:]])


def by_public_key() -> str:
    """The public half of an RSA key used as an HMAC secret."""
    public = RSAKey.generate_key(2048).as_pem(private=False)
    said = f"{b64({'alg': 'HS256', 'typ': 'at+jwt'})}.{b64(claims())}"
    return f"{said}.{b64(hmac.digest(public, said.encode(), 'sha256'))}"  # by hand: the library refuses to


def by_private_key() -> str:
    pair = RSAKey.generate_key(2048)
    return jwt.encode({"alg": "RS256", "typ": "at+jwt"}, claims(), pair, algorithms=["RS256"])


def flipped(part: int) -> str:
    parts = signed().split(".")
    parts[part] = parts[part][:10] + ("A" if parts[part][10] != "A" else "B") + parts[part][11:]
    return ".".join(parts)


FORGED: dict[str, Callable[[], str]] = {
    "none": lambda: f"{b64({'alg': 'none', 'typ': 'at+jwt'})}.{b64(claims())}.",
    "None": lambda: f"{b64({'alg': 'None', 'typ': 'at+jwt'})}.{b64(claims())}.",
    "none with our signature": lambda: with_head({"alg": "none", "typ": "at+jwt"}),
    "no alg": lambda: with_head({"typ": "at+jwt"}),
    "no signature": lambda: signed().rsplit(".", 1)[0] + ".",
    "alg confusion": by_public_key,
    "RS256": by_private_key,
    "HS384": lambda: signed({"alg": "HS384"}),
    "HS512": lambda: signed({"alg": "HS512"}),
    "kid path": lambda: signed({"kid": "../../../../dev/null"}),
    "kid SQL": lambda: signed({"kid": "x' UNION SELECT 'k"}),
    "jku": lambda: signed({"jku": "https://attacker.example/keys.json"}),
    "embedded key": lambda: signed({"jwk": {"kty": "oct", "k": "AAAA"}}),
    "empty secret": lambda: f"{b64({'alg': 'HS256', 'typ': 'at+jwt'})}.{b64(claims())}.{b64(bytes(32))}",
    "other audience": lambda: signed(aud="somebody-else"),
    "no audience": lambda: signed(aud=None),
    "other issuer": lambda: signed(iss="https://accounts.example.com"),
    "no issuer": lambda: signed(iss=None),
    "other type": lambda: signed({"typ": "JWT"}),
    "expired": lambda: signed(exp=int(time.time()) - 1),
    "no expiry": lambda: signed(exp=None),
    "expiry in words": lambda: signed(exp="tomorrow"),
    "not yet": lambda: signed(nbf=int(time.time()) + 3600),
    "from the future": lambda: signed(iat=int(time.time()) + 3600),
    "no session": lambda: signed(sid=None),
    "session is a list": lambda: signed(sid=[SESSION]),
    "subject is a number": lambda: signed(sub=7),
    "another installation": lambda: signed(root="x" * 40),
    "header flipped": lambda: flipped(0),
    "claims flipped": lambda: flipped(1),
    "signature flipped": lambda: flipped(2),
    "oversized": lambda: signed(padding="x" * 100_000),
    "claims are a list": lambda: f"{b64({'alg': 'HS256'})}.{b64([1])}.{b64(b'x')}",
    "deep": lambda: f"{b64({'alg': 'HS256'})}.{b64(b'[' * 900)}.{b64(b'x')}",
    "four parts": lambda: signed() + ".x",
    "five parts": lambda: signed() + ".x.y",
    "not base64": lambda: "a.b.c",
    "not ASCII": lambda: "ä.ö.ü",
    "empty": lambda: "",
}


@pytest.mark.parametrize("name", FORGED)
def test_it_is_refused(name: str):
    with pytest.raises(Unauthenticated):
        auth.AccessTokens(settings()).verify(FORGED[name]())


def test_a_good_one_is_good_until_it_expires_remembered_or_not():
    tokens = auth.AccessTokens(settings())
    token = tokens.sign(USER, SESSION)
    assert tokens.verify(signed()).session_id == tokens.verify(token).session_id == SESSION
    with time_machine.travel(time.time() + 901, tick=True), pytest.raises(Unauthenticated):
        tokens.verify(token)


def test_a_clock_that_is_a_little_ahead_is_forgiven():
    assert auth.AccessTokens(settings()).verify(signed(iat=int(time.time()) + 10, nbf=int(time.time()) + 10))


def test_one_moment_makes_one_token():
    tokens = auth.AccessTokens(settings())
    with time_machine.travel(1_800_000_000, tick=False):
        assert tokens.sign(USER, SESSION) == tokens.sign(USER, SESSION) != tokens.sign(USER, ids.new())


def test_a_previous_key_verifies_and_never_signs():
    before, after = settings("x" * 40), settings(secret_key_previous="y" * 40 + ", " + "x" * 40)
    old, new = auth.AccessTokens(before), auth.AccessTokens(after)
    assert new.verify(old.sign(USER, SESSION)).user_id == USER
    with pytest.raises(Unauthenticated):
        old.verify(new.sign(USER, SESSION))


def test_a_weak_previous_key_is_refused_where_the_world_listens():
    with pytest.raises(UnsafeSettings, match="SECRET_KEY_PREVIOUS"):
        settings("f3" * 20, secret_key_previous="short", host="0.0.0.0").refuse_unsafe()


async def test_a_refresh_token_is_no_access_token(hortus):
    client = await hortus.customer()
    for token in (client.tokens["refresh_token"], signed(root="k" * 40), signed(sid=client.tokens["refresh_token"])):
        answer = await client.get("/api/user/me", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    swapped = await client.post("/api/auth/refresh", json={"refresh_token": client.tokens["access_token"][:200]})
    assert (swapped.status_code, swapped.json()["code"]) == (401, "bad_refresh_token")
