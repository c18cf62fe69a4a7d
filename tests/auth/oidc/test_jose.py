"""Edge cases of JOSE: keys that are not what they say, headers that demand something, and JSON read in two ways."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from hortus.auth.oidc import id_token
from hortus.auth.oidc.errors import OidcRefused

NOW = int(time.time())
ISSUER, CLIENT, NONCE = "https://issuer.example.com", "hortus", "n" * 43
CLAIMS = {"iss": ISSUER, "aud": CLIENT, "sub": "u1", "nonce": NONCE, "iat": NOW, "exp": NOW + 600}


@pytest.fixture(autouse=True)
def at_the_time_of_the_claims() -> Iterator[None]:
    """The module may have been loaded long before the test runs."""
    with time_machine.travel(NOW, tick=False):
        yield


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int, length: int | None = None) -> str:
    return b64(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


RSA = rsa.generate_private_key(65537, 2048)
P256, P384 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
ED = ed25519.Ed25519PrivateKey.generate()


def rsa_jwk(key: rsa.RSAPrivateKey = RSA, **more: Any) -> dict[str, Any]:
    public = key.public_key().public_numbers()
    return {"kty": "RSA", "kid": "k", "alg": "RS256", "n": number(public.n), "e": number(public.e), **more}


def ec_jwk(key: ec.EllipticCurvePrivateKey = P256, crv: str = "P-256", size: int = 32, **more: Any) -> dict[str, Any]:
    public = key.public_key().public_numbers()
    return {"kty": "EC", "kid": "k", "crv": crv, "x": number(public.x, size), "y": number(public.y, size), **more}


def rsa_sign(data: bytes, key: rsa.RSAPrivateKey = RSA) -> bytes:
    return key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def ec_sign(data: bytes, key: ec.EllipticCurvePrivateKey = P256, digest: Any = None, size: int = 32) -> bytes:
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(digest or hashes.SHA256())))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def token(header: Any, claims: Any, sign: Callable[[bytes], bytes] = rsa_sign) -> str:
    """A token signed for real; header and claims may be text, to say what no JSON library would."""
    head, body = (b64((each if isinstance(each, str) else json.dumps(each)).encode()) for each in (header, claims))
    return f"{head}.{body}.{b64(sign(f'{head}.{body}'.encode()))}"


def read(written: Any, *keys: dict[str, Any]) -> dict[str, Any]:
    """What is read from a token by an issuer's published keys; raises OidcRefused."""
    algorithm, key_id = id_token.header_of(written)
    key = id_token.pick(id_token.keys_from({"keys": list(keys)}), algorithm, key_id)
    if key is None:
        raise OidcRefused
    return id_token.verify(written, key, algorithm, issuer=ISSUER, client_id=CLIENT, nonce=NONCE)


HEADER = {"alg": "RS256", "kid": "k"}


def test_honest_tokens_are_read():
    assert read(token(HEADER, CLAIMS), rsa_jwk()) == CLAIMS
    assert read(token({"alg": "ES256", "kid": "k"}, CLAIMS, ec_sign), ec_jwk())["sub"] == "u1"
    public = b64(ED.public_key().public_bytes_raw())
    okp = {"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": public}
    assert read(token({"alg": "Ed25519", "kid": "k"}, CLAIMS, ED.sign), okp)["sub"] == "u1"
    for extra in ({"typ": "JWT"}, {"x5t": "abc"}, {"jku": "https://elsewhere.example.com"}):
        assert read(token({**HEADER, **extra}, CLAIMS), rsa_jwk())["sub"] == "u1"
    read(token(HEADER, {**CLAIMS, "aud": [CLIENT]}), rsa_jwk())


HEADERS: dict[str, Any] = {
    "an empty list of what is critical": {**HEADER, "crit": []},
    "critical and unknown": {**HEADER, "crit": ["exp"], "exp": 1},
    "critical and known": {**HEADER, "crit": ["alg"]},
    "critical that is no list": {**HEADER, "crit": "b64"},
    "critical that is null": {**HEADER, "crit": None},
    "critical that is false": {**HEADER, "crit": False},
    "a payload that is not encoded": {**HEADER, "b64": False, "crit": ["b64"]},
    "a payload that is not encoded, in passing": {**HEADER, "b64": False},
    "a payload that is encoded, said aloud": {**HEADER, "b64": True},
    "a compressed payload": {**HEADER, "zip": "DEF"},
    "two algorithms, the honest one last": '{"alg": "none", "kid": "k", "alg": "RS256"}',
    "two algorithms, the honest one first": '{"alg": "RS256", "kid": "k", "alg": "RS256"}',
    "two key ids": '{"alg": "RS256", "kid": "evil", "kid": "k"}',
    "an algorithm in a list": {**HEADER, "alg": ["RS256"]},
    "an algorithm in small letters": {**HEADER, "alg": "rs256"},
    "another algorithm than the key's": {**HEADER, "alg": "RS512"},
    "an algorithm of another kind of key": {**HEADER, "alg": "ES256"},
    "no object": "[]",
    "a number that is none": '{"alg": "RS256", "kid": "k", "x": NaN}',
    "deeply nested": '{"alg": "RS256", "kid": "k", "x": ' + "[" * 3000 + "]" * 3000 + "}",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
def test_a_header_that_demands_or_says_things_twice_is_refused(header: Any):
    with pytest.raises(OidcRefused):
        read(token(header, CLAIMS), rsa_jwk())


PAYLOADS: dict[str, Any] = {
    "two subjects": json.dumps(CLAIMS)[:-1] + ', "sub": "u2"}',
    "two nested members": json.dumps(CLAIMS)[:-1] + ', "address": {"a": 1, "a": 2}}',
    "an expiry that is true": {**CLAIMS, "exp": True},
    "an expiry that is a text": {**CLAIMS, "exp": str(NOW + 600)},
    "an endless expiry": json.dumps(CLAIMS)[:-1].replace(str(NOW + 600), "Infinity") + "}",
    "an expiry too large": json.dumps(CLAIMS)[:-1].replace(str(NOW + 600), "1e999") + "}",
    "issued at false": {**CLAIMS, "iat": False},
    "issued at a text": {**CLAIMS, "iat": str(NOW)},
    "not before a text": {**CLAIMS, "nbf": "0"},
    "an audience with another type in it": {**CLAIMS, "aud": [CLIENT, 7]},
    "an audience in an audience": {**CLAIMS, "aud": [[CLIENT]]},
    "an issuer in a list": {**CLAIMS, "iss": [ISSUER]},
    "a party in a list": {**CLAIMS, "azp": [CLIENT]},
    "no object": json.dumps([CLAIMS]),
    "no JSON": "sub=u1",
    "broken Unicode": json.dumps(CLAIMS)[:-1] + ', "name": "\\ud800"}',
}


@pytest.mark.parametrize("claims", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_claims_of_another_type_or_said_twice_are_refused(claims: Any):
    with pytest.raises(OidcRefused):
        read(token(HEADER, claims), rsa_jwk())


def test_a_token_has_one_spelling():
    good = token(HEADER, CLAIMS)
    head, body, signature = good.split(".")
    for other in (
        f"{head}=.{body}.{signature}",
        f"{head}.{body}=.{signature}",
        f"{head}.{body}.{signature}==",
        f"{head}\n.{body}.{signature}",
        f" {good}",
        f"{good}\n",
        f"{head}.{body}.{signature}.",
        f"{head}..{signature}",
        f"{head}.{body}.{signature[:-1]}{'B' if signature[-1] == 'A' else chr(ord(signature[-1]) + 1)}",
        json.dumps({"protected": head, "payload": body, "signature": signature}),
    ):
        with pytest.raises(OidcRefused):
            read(other, rsa_jwk())


SMALL = rsa.generate_private_key(65537, 1024)
ODD: dict[str, dict[str, Any]] = {
    "of 1024 bits": rsa_jwk(SMALL),
    "of 1024 bits, padded with zeros": rsa_jwk(SMALL, n=number(SMALL.public_key().public_numbers().n, 256)),
    "of 2047 bits": rsa_jwk(n=number(RSA.public_key().public_numbers().n >> 1 | 1)),
    "of 20000 bits": rsa_jwk(n=number((1 << 20000) | 1)),
    "with exponent 1": rsa_jwk(e=number(1)),
    "with exponent 2": rsa_jwk(e=number(2)),
    "with an even modulus": rsa_jwk(n=number(RSA.public_key().public_numbers().n + 1)),
    "with an exponent of 2048 bits": rsa_jwk(e=number(RSA.public_key().public_numbers().n - 2)),
    "without a modulus": {name: value for name, value in rsa_jwk().items() if name != "n"},
    "with a modulus that is a number": rsa_jwk(n=65537),
    "with a modulus of another alphabet": rsa_jwk(n="ü" * 400),
    "with uses in a list": rsa_jwk(use=["sig"]),
    "with operations that are a number": rsa_jwk(key_ops=7),
    "with operations that are a text": rsa_jwk(key_ops="verify"),
    "to encrypt": rsa_jwk(use="enc"),
    "to sign, not to verify": rsa_jwk(key_ops=["sign"]),
    "for an algorithm that is a list": rsa_jwk(alg=["RS256"]),
    "with an id that is a number": rsa_jwk(kid=7),
}


@pytest.mark.parametrize("jwk", ODD.values(), ids=ODD.keys())
def test_an_rsa_key_that_is_weak_or_odd_is_left_out(jwk: dict[str, Any]):
    assert id_token.keys_from({"keys": [jwk, rsa_jwk(kid="good")]}) != []
    assert [key.kid for key in id_token.keys_from({"keys": [jwk, rsa_jwk(kid="good")]})] == ["good"]


POINT = P256.public_key().public_numbers()
CURVES: dict[str, dict[str, Any]] = {
    "off the curve": ec_jwk(y=number(POINT.y ^ 1, 32)),
    "at the origin": ec_jwk(x=number(0, 32), y=number(0, 32)),
    "beyond the field": ec_jwk(x=number(2**256 - 1, 32)),
    "of another curve": ec_jwk(P384, size=48),
    "of a curve that is not ours": ec_jwk(crv="secp256k1"),
    "of no curve": ec_jwk(crv="P-999"),
    "without its second half": {name: value for name, value in ec_jwk().items() if name != "y"},
    "too long": ec_jwk(x=number(POINT.x, 64)),
}


@pytest.mark.parametrize("jwk", CURVES.values(), ids=CURVES.keys())
def test_a_key_that_is_no_point_of_its_curve_is_left_out(jwk: dict[str, Any]):
    assert id_token.keys_from({"keys": [jwk]}) == []


def test_an_algorithm_has_its_own_curve():
    written = token({"alg": "ES256", "kid": "k"}, CLAIMS, lambda data: ec_sign(data, P384, size=48))
    with pytest.raises(OidcRefused):
        read(written, ec_jwk(P384, "P-384", 48))
    other = token({"alg": "ES384", "kid": "k"}, CLAIMS, lambda data: ec_sign(data, digest=hashes.SHA384()))
    with pytest.raises(OidcRefused):
        read(other, ec_jwk())
    montgomery = {"kty": "OKP", "crv": "X25519", "kid": "k", "x": b64(b"\x09" + bytes(31))}
    assert id_token.keys_from({"keys": [montgomery]}) == []


def test_an_ecdsa_signature_of_zeros_or_of_another_form_is_refused():
    header = {"alg": "ES256", "kid": "k"}
    for sign in (
        lambda _data: bytes(64),
        lambda data: P256.sign(data, ec.ECDSA(hashes.SHA256())),  # DER instead of R || S
        lambda data: ec_sign(data) + b"\0",
        lambda _data: b"",
    ):
        with pytest.raises(OidcRefused):
            read(token(header, CLAIMS, sign), ec_jwk())


def test_of_two_keys_with_one_id_none_is_taken():
    with pytest.raises(OidcRefused):
        read(token(HEADER, CLAIMS), rsa_jwk(), rsa_jwk(rsa.generate_private_key(65537, 2048)))


def test_a_token_without_key_id_fits_only_where_there_is_one_key():
    written = token({"alg": "RS256"}, CLAIMS)
    assert read(written, rsa_jwk(), ec_jwk())["sub"] == "u1"
    with pytest.raises(OidcRefused):
        read(written, rsa_jwk(), rsa_jwk(kid="other"))
