"""What an ID token says, once everything about it was checked (OpenID Connect Core 3.1.3.7)."""

import hmac
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key

from hortus.accounts.oidc.errors import OidcRefused
from hortus.core import clock

ALGORITHMS = {
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "ES256": "EC", "ES384": "EC", "ES512": "EC", "EdDSA": "OKP", "Ed25519": "OKP",
}  # fmt: skip
"""The signatures we accept, all of them asymmetric, and the kind of key each needs."""
LONGEST = 16 * 1024
MOST_KEYS = 100
CLOCKS_DIFFER = 60
SMALLEST_RSA = 2048


def keys_from(document: Any) -> list[Key]:
    """The keys of a JWKS that may sign; whatever else is in it is left out. Raises ValueError for no JWKS at all."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("this is no JWKS")
    return [key for key in map(_signing_key, listed[:MOST_KEYS]) if key is not None]


def _signing_key(given: Any) -> Key | None:
    if not isinstance(given, dict) or given.get("kty") not in ("RSA", "EC", "OKP"):
        return None  # a secret key has no place in a public document
    if given.get("use", "sig") != "sig" or "verify" not in given.get("key_ops", ["verify"]):
        return None
    if given["kty"] == "RSA" and len(str(given.get("n", ""))) * 6 < SMALLEST_RSA:
        return None
    public = {name: value for name, value in given.items() if name in ("kty", "kid", "alg", "n", "e", "crv", "x", "y")}
    try:
        key = import_key(public)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key if isinstance(key, RSAKey | ECKey | OKPKey) else None


def header_of(token: Any) -> tuple[str, str | None]:
    """Algorithm and key id that the token claims, to choose a key by; nothing is verified yet. Raises OidcRefused."""
    if not isinstance(token, str) or len(token) > LONGEST:
        raise OidcRefused
    try:
        header = jws.extract_compact(token.encode(), registry=_registry(list(ALGORITHMS))).headers()
    except (JoseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise OidcRefused from error
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS or not (key_id is None or isinstance(key_id, str)):
        raise OidcRefused
    return algorithm, key_id


def pick(keys: list[Key], algorithm: str, key_id: str | None) -> Key | None:
    """The one key that can have signed this; a token without a key id fits only where there is no choice."""
    fitting = [
        key
        for key in keys
        if key.key_type == ALGORITHMS[algorithm] and key.alg in (None, algorithm) and key_id in (None, key.kid)
    ]
    return fitting[0] if len(fitting) == 1 else None


def verify(token: str, key: Key, algorithm: str, *, issuer: str, client_id: str, nonce: str) -> dict[str, Any]:
    """The claims of a token that this issuer signed for us, now, for this sign-in. Raises OidcRefused."""
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
    # Header parameters that we do not know are ignored, as the standard says; `crit` ones are refused.
    registry = jws.JWSRegistry(algorithms=algorithms, strict_check_header=False)
    registry.max_header_length = LONGEST  # some issuers send their certificates along
    return registry
