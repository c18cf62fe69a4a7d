"""Access tokens: signed JWTs that name a user and a session, valid for minutes."""

import contextlib
import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import OctKey

from hortus.core import clock
from hortus.core.errors import Unauthenticated
from hortus.core.settings import Settings

ISSUER, AUDIENCE, TYPE = "hortus", "hortus-api", "at+jwt"
HEADER = {"alg": "HS256", "typ": TYPE}
LONGEST = 2048
NOT_GOOD = "The access token is invalid. Sign in again."
KEPT = 10_000
CLOCKS_DIFFER = 30
"""Seconds by which the clock of the signing machine may be ahead."""


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """The claims of a valid access token."""

    user_id: str
    session_id: str
    expires: float


class AccessTokens:
    """Signs and verifies; remembers what it verified until it expires."""

    def __init__(self, settings: Settings) -> None:
        self._keys = [OctKey.import_key(key) for key in settings.keys_for("access tokens")]
        self._lasts = timedelta(minutes=settings.access_token_expire_minutes)
        self._verified: OrderedDict[bytes, AccessClaims] = OrderedDict()
        self._claims = jwt.JWTClaimsRegistry(
            leeway=CLOCKS_DIFFER,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nbf={"essential": True},
        )

    @property
    def seconds(self) -> int:
        """The lifetime of a token in seconds."""
        return int(self._lasts.total_seconds())

    def sign(self, user_id: str, session_id: str, at: datetime | None = None) -> str:
        """An access token of a session, valid from now or from `at`. The same time gives the same token."""
        now = at or clock.now()
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user_id,
            "sid": session_id,
            "iat": int(now.timestamp()),
            "nbf": int(now.timestamp()),
            "exp": int((now + self._lasts).timestamp()),
        }
        return jwt.encode(HEADER, claims, self._keys[0], algorithms=["HS256"])

    def verify(self, token: str) -> AccessClaims:
        """The claims of a token; raises Unauthenticated for one that is forged, expired or issued for another use."""
        if len(token) > LONGEST:
            raise Unauthenticated(NOT_GOOD)
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
            decoded = self._decode(token)
            self._claims.validate(decoded.claims)
            if decoded.header != HEADER:  # foreign `kid`, `jku` or `crit` headers are never followed
                raise ValueError("another kind of token")
            claims = decoded.claims
            if not (isinstance(claims["sid"], str) and claims["iat"] <= clock.now().timestamp() + CLOCKS_DIFFER):
                raise ValueError("not an access token")
            return AccessClaims(claims["sub"], claims["sid"], float(claims["exp"]))
        except (JoseError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise Unauthenticated(NOT_GOOD) from error

    def _decode(self, token: str) -> jwt.Token:
        for key in self._keys[:-1]:
            with contextlib.suppress(BadSignatureError):
                return jwt.decode(token, key, algorithms=["HS256"])
        return jwt.decode(token, self._keys[-1], algorithms=["HS256"])
