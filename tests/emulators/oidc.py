"""An OpenID Connect issuer: discovery, keys, consent without a page, the token endpoint; and every way to lie.

It checks what a strict issuer checks: client, redirect address, PKCE, and that a code is traded once.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey

from tests.emulators.base import Emulator, main


@cache
def rsa_key() -> RSAKey:
    """One per process: they take a while to make."""
    return RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig", "alg": "RS256"})


def ec_key(kid: str) -> ECKey:
    """A fresh key."""
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})


def signed(header: dict[str, Any], claims: dict[str, Any], key: Key) -> str:
    """A token of that header and those claims, signed in earnest."""
    return jwt.encode(header, claims, key, algorithms=[header["alg"]])


@dataclass(kw_only=True)
class OidcEmulator(Emulator):
    """Its issuer identifier is `url`. Every request for consent is granted, as `user`."""

    client_id: str = "hortus"
    client_secret: str = "a secret: with & signs"
    basic: bool = True
    user: dict[str, Any] = field(default_factory=lambda: {"sub": "asha", **ASHA})
    metadata: dict[str, Any] = field(default_factory=dict)
    """What the discovery document says instead; None leaves a field out."""
    claims: dict[str, Any] = field(default_factory=dict)
    """What ID tokens say instead; None leaves a claim out."""
    only_userinfo: tuple[str, ...] = ()
    """Claims that stand in userinfo and not in the token."""
    userinfo: dict[str, Any] = field(default_factory=dict)
    """What userinfo says besides."""
    forge: Callable[[dict[str, Any], dict[str, Any]], str] | None = None
    """Makes the ID token of header and claims, in place of an honest signature."""
    denies: bool = False
    iss: str | None = None
    """The `iss` that callbacks bear; the right one if empty."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.key: Key = ec_key("k1")
        self.published: list[dict[str, Any]] | None = None
        self._codes: dict[str, dict[str, str]] = {}
        self._tokens: set[str] = set()

    def rotate(self) -> None:
        """Sign with a new key; the old one is gone."""
        self.key = ec_key(f"k{secrets.token_hex(4)}")

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/.well-known/openid-configuration", self._discovery),
            web.get("/jwks", self._jwks),
            web.get("/authorize", self._authorize),
            web.post("/token", self._token),
            web.get("/userinfo", self._userinfo),
        ]

    def error(self, mode: str, status: int) -> tuple[dict[str, str], Any]:
        return {}, {"error": "server_error" if status >= 500 else "invalid_grant", "error_description": mode}

    async def _discovery(self, _: web.Request) -> web.Response:
        document = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "token_endpoint_auth_methods_supported": [f"client_secret_{'basic' if self.basic else 'post'}"],
            "authorization_response_iss_parameter_supported": True,
            **self.metadata,
        }
        return web.json_response({name: value for name, value in document.items() if value is not None})

    async def _jwks(self, _: web.Request) -> web.Response:
        honest = [{"kty": "EC", "crv": "P-256"}, 7, self.key.as_dict(private=False), {"kty": "oct", "k": "c2VjcmV0"}]
        return web.json_response({"keys": honest if self.published is None else self.published})

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        if asked.get("response_type") != "code" or asked.get("client_id") != self.client_id:
            return web.json_response({"error": "invalid_request"}, status=400)
        if "openid" not in asked["scope"].split() or asked.get("code_challenge_method") != "S256":
            return web.json_response({"error": "invalid_scope"}, status=400)
        said = {"state": asked["state"], "iss": self.iss or self.url}
        if self.denies:
            said |= {"error": "access_denied", "error_description": "<b>no</b>"}
        else:
            said["code"] = secrets.token_urlsafe(16)
            self._codes[said["code"]] = asked
        return web.Response(status=302, headers={"Location": f"{asked['redirect_uri']}?{urlencode(said)}"})

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: values[0] for name, values in parse_qs((await request.read()).decode()).items()}
        if self._client(request, form) != (self.client_id, self.client_secret):
            return web.json_response({"error": "invalid_client"}, status=401)
        asked = self._codes.pop(form.get("code", ""), None)
        if asked is None or form.get("grant_type") != "authorization_code":
            return web.json_response({"error": "invalid_grant"}, status=400)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if challenge != asked["code_challenge"] or form.get("redirect_uri") != asked["redirect_uri"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        access_token = secrets.token_urlsafe(16)
        self._tokens.add(access_token)
        answer = {"access_token": access_token, "token_type": "Bearer", "id_token": self._id_token(asked["nonce"])}
        return web.json_response(answer)

    def _client(self, request: web.Request, form: dict[str, str]) -> tuple[str, str]:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic" and self.basic:
            name, _, secret = base64.b64decode(given).decode().partition(":")
            return unquote(name), unquote(secret)
        return ("", "") if self.basic else (form.get("client_id", ""), form.get("client_secret", ""))

    def _id_token(self, nonce: str) -> str:
        now = int(time.time())
        said = {name: value for name, value in self.user.items() if name not in self.only_userinfo}
        claims = {
            "iss": self.url, "aud": self.client_id, "iat": now, "exp": now + 300, "nonce": nonce, **said, **self.claims
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": str(self.key.alg), "kid": str(self.key.kid)}
        return self.forge(header, claims) if self.forge else signed(header, claims, self.key)

    async def _userinfo(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self._tokens:
            return web.json_response({"error": "invalid_token"}, status=401)
        return web.json_response({**self.user, **self.userinfo})


ASHA = {"email": "asha@example.com", "email_verified": True, "name": "Asha Rao"}


def encoded(part: bytes) -> str:
    """As every part of a token is written."""
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A token with `alg: none`."""
    return ".".join(encoded(json.dumps(part).encode()) for part in ({**header, "alg": "none"}, claims)) + "."


def hmac_of_public_key(key: RSAKey, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A token whose HMAC key is the text of the issuer's public key: the HS/RS confusion."""
    parts = [encoded(json.dumps(part).encode()) for part in ({**header, "alg": "HS256"}, claims)]
    return ".".join([*parts, encoded(hmac.digest(key.as_pem(private=False), ".".join(parts).encode(), "sha256"))])


if __name__ == "__main__":
    main(OidcEmulator)
