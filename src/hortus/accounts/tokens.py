"""Access tokens (signed, short) and refresh tokens (random, kept as digests)."""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from hortus.core import clock
from hortus.core.errors import Unauthenticated
from hortus.core.settings import Settings

ISSUER, AUDIENCE, TYPE = "hortus", "hortus-api", "at+jwt"
KEPT = 10_000


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a good access token says."""

    user_id: str
    session_id: str
    expires: float


class AccessTokens:
    """Signs and verifies; remembers what it verified until it expires."""

    def __init__(self, settings: Settings) -> None:
        self._key = OctKey.import_key(hmac.digest(settings.key, b"hortus access tokens", "sha256"))
        self._lasts = timedelta(minutes=settings.access_token_expire_minutes)
        self._verified: OrderedDict[bytes, AccessClaims] = OrderedDict()
        self._claims = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            sub={"essential": True},
            exp={"essential": True},
        )

    @property
    def seconds(self) -> int:
        """How long a token is good."""
        return int(self._lasts.total_seconds())

    def sign(self, user_id: str, session_id: str) -> str:
        """A fresh access token of a session."""
        now = clock.now()
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user_id,
            "sid": session_id,
            "iat": int(now.timestamp()),
            "nbf": int(now.timestamp()),
            "exp": int((now + self._lasts).timestamp()),
        }
        return jwt.encode({"alg": "HS256", "typ": TYPE}, claims, self._key, algorithms=["HS256"])

    def verify(self, token: str) -> AccessClaims:
        """What the token says; raises Unauthenticated for anything forged, expired or meant for other uses."""
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        known = self._verified.get(digest)
        now = clock.now().timestamp()
        if known is None:
            known = self._verify(token)
            self._verified[digest] = known
            if len(self._verified) > KEPT:
                self._verified.popitem(last=False)
        if known.expires <= now:
            self._verified.pop(digest, None)
            raise Unauthenticated("The access token has expired. Refresh it or sign in again.")
        return known

    def _verify(self, token: str) -> AccessClaims:
        try:
            decoded = jwt.decode(token, self._key, algorithms=["HS256"])
            self._claims.validate(decoded.claims)
            if decoded.header.get("typ") != TYPE:
                raise ValueError("another type of token")
            return AccessClaims(str(decoded.claims["sub"]), str(decoded.claims["sid"]), float(decoded.claims["exp"]))
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise Unauthenticated("The access token is not good. Sign in again.") from error


def new_secret() -> str:
    """256 random bits for people to carry."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """What of a random secret is stored; a fast hash is enough for 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
