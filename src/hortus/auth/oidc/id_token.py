"""Verification of ID tokens (OpenID Connect Core 3.1.3.7)."""

import base64
import hmac
import json
import math
import re
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key

from hortus.auth.oidc.errors import OidcRefused
from hortus.core import clock

ALGORITHMS = {
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "ES256": "EC", "ES384": "EC", "ES512": "EC", "EdDSA": "OKP", "Ed25519": "OKP",
}  # fmt: skip
"""The signatures we accept, all of them asymmetric, and the kind of key each needs."""
LONGEST = 16 * 1024
MOST_KEYS = 100
CLOCKS_DIFFER = 60
SMALLEST_RSA, LARGEST_RSA = 2048, 16384
"""Bits of a modulus. A larger one would only keep this process busy."""
LARGEST_EXPONENT = 2**32
_CURVES = {
    "ES256": ("P-256",), "ES384": ("P-384",), "ES512": ("P-521",),
    "EdDSA": ("Ed25519", "Ed448"), "Ed25519": ("Ed25519",),
}  # fmt: skip
_OCTETS = {"P-256": 32, "P-384": 48, "P-521": 66, "Ed25519": 32, "Ed448": 57}
"""Supported curves, with the length of a coordinate."""
_REFUSED = ("crit", "b64", "zip")
"""Header parameters that change how a token is to be read. No ID token needs them, so the mere name is refused."""
_PART = re.compile(r"[A-Za-z0-9_-]+")


def keys_from(document: Any) -> list[Key]:
    """The signing keys of a JWKS; other keys are ignored. Raises ValueError if it is not a JWKS."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("this is no JWKS")
    return [key for key in map(_signing_key, listed[:MOST_KEYS]) if key is not None]


def _signing_key(given: Any) -> Key | None:
    if not isinstance(given, dict) or given.get("kty") not in ("RSA", "EC", "OKP"):
        return None  # a secret key has no place in a public document
    uses = given.get("key_ops", ["verify"])
    if given.get("use", "sig") != "sig" or not isinstance(uses, list) or "verify" not in uses:
        return None
    try:
        if not (_is_strong_rsa(given) if given["kty"] == "RSA" else _is_on_our_curves(given)):
            return None
    except ValueError:
        return None
    public = {name: value for name, value in given.items() if name in ("kty", "kid", "alg", "n", "e", "crv", "x", "y")}
    try:
        key = import_key(public)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key if isinstance(key, RSAKey | ECKey | OKPKey) else None


def _is_strong_rsa(given: dict[str, Any]) -> bool:
    """Whether the modulus is long enough, without leading zeros."""
    modulus, exponent = (int.from_bytes(_decoded(given.get(name)), "big") for name in ("n", "e"))
    if not SMALLEST_RSA <= modulus.bit_length() <= LARGEST_RSA:
        return False
    return modulus % 2 == 1 and exponent % 2 == 1 and 3 <= exponent < LARGEST_EXPONENT


def _is_on_our_curves(given: dict[str, Any]) -> bool:
    """Whether the curve is supported and the coordinates fit it. Importing the key checks the point itself."""
    curve = given.get("crv")
    if not isinstance(curve, str) or curve.startswith("Ed") != (given["kty"] == "OKP") or curve not in _OCTETS:
        return False
    names = ("x",) if given["kty"] == "OKP" else ("x", "y")
    return all(len(_decoded(given.get(name))) <= _OCTETS[curve] for name in names)


def _decoded(part: Any) -> bytes:
    """The bytes of unpadded base64url in its one spelling. Raises ValueError for anything else."""
    if not isinstance(part, str) or not _PART.fullmatch(part):
        raise ValueError("not base64url")
    data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != part:
        raise ValueError("bits are left over")
    return data


def _object(part: str) -> dict[str, Any]:
    """A JSON object that every reader understands alike: no member twice, no infinite number, no broken text."""
    found = json.loads(_decoded(part), object_pairs_hook=_unique, parse_float=_finite, parse_constant=_finite)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    json.dumps(found, ensure_ascii=False).encode()
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member twice")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("not a number")
    return value


def header_of(token: Any) -> tuple[str, str | None]:
    """Algorithm and key id in the unverified header, to select a key. Raises OidcRefused."""
    if not isinstance(token, str) or len(token) > LONGEST:
        raise OidcRefused
    try:
        head, body, signature = token.split(".")
        header, _ = _object(head), _object(body)
        _decoded(signature)
    except (ValueError, RecursionError) as error:
        raise OidcRefused from error
    algorithm, key_id = header.get("alg"), header.get("kid")
    if any(name in header for name in _REFUSED):
        raise OidcRefused
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS or not (key_id is None or isinstance(key_id, str)):
        raise OidcRefused
    return algorithm, key_id


def pick(keys: list[Key], algorithm: str, key_id: str | None) -> Key | None:
    """The one key that can have signed this; a token without a key id fits only where there is no choice."""
    fitting = [
        key
        for key in keys
        if key.key_type == ALGORITHMS[algorithm]
        and key.alg in (None, algorithm)
        and key_id in (None, key.kid)
        and (algorithm not in _CURVES or key.as_dict(private=False).get("crv") in _CURVES[algorithm])
    ]
    return fitting[0] if len(fitting) == 1 else None


def verify(token: str, key: Key, algorithm: str, *, issuer: str, client_id: str, nonce: str) -> dict[str, Any]:
    """The verified claims of a token of this issuer for this flow. Raises OidcRefused.

    `header_of` has parsed the token before, so that it is unambiguous.
    """
    wanted = jwt.JWTClaimsRegistry(
        now=int(clock.now().timestamp()),
        leeway=CLOCKS_DIFFER,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True},
    )
    try:
        claims = jwt.decode(token, key, algorithms=[algorithm], registry=_registry([algorithm])).claims
        wanted.validate(claims)
    except (JoseError, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise OidcRefused from error
    audience, party = claims["aud"], claims.get("azp")
    if isinstance(audience, list) and len(audience) > 1 and party is None:
        raise OidcRefused
    if party is not None and party != client_id:
        raise OidcRefused
    given = claims["nonce"]
    if not isinstance(given, str) or not hmac.compare_digest(given.encode("utf-8", "replace"), nonce.encode()):
        raise OidcRefused
    if not 0 < len(claims["sub"]) <= 255 or not claims["sub"].isprintable():
        raise OidcRefused
    return claims


def _registry(algorithms: list[str]) -> jws.JWSRegistry:
    # Unknown header parameters are ignored, as the standard requires; `crit` is refused.
    registry = jws.JWSRegistry(algorithms=algorithms, strict_check_header=False)
    registry.max_header_length = LONGEST  # some issuers send their certificates along
    return registry
