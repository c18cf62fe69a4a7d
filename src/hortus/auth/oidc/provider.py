"""OIDC providers: discovery, keys, and the exchange of a code for verified claims.

Discovery and keys are cached for an hour. An unknown key id is fetched at most every 30 seconds, so that an issuer can
rotate keys at any time and forged tokens cannot cause requests.
"""

import asyncio
import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import structlog
from joserfc.jwk import Key

from hortus.auth.oidc import id_token
from hortus.auth.oidc.errors import OidcRefused, OidcUnavailable
from hortus.auth.oidc_settings import WELL_KNOWN, OidcProviderSettings
from hortus.core import clock
from hortus.core.http import Http, HttpError, Response
from hortus.core.settings import is_safe_url

log = structlog.get_logger()
FRESH = timedelta(hours=1)
KEY_REFETCH_INTERVAL = timedelta(seconds=30)
AFTER_FAILURE = timedelta(seconds=5)
LARGEST = 512 * 1024
_WORD = re.compile("[a-z_]{1,40}")


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """The used part of the discovery document. Every endpoint is https, or http on the loopback interface."""

    issuer: str
    authorize: str
    token: str
    keys: str
    userinfo: str | None
    basic: bool
    """Whether the client secret is sent in the `Authorization` header instead of the body."""
    says_issuer: bool


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """The verified claims of the user who signed in at the provider."""

    issuer: str
    subject: str
    claims: Mapping[str, Any]


class OidcProvider:
    """One configured issuer; safe to share between requests."""

    def __init__(self, name: str, settings: OidcProviderSettings, http: Http) -> None:
        self.name, self.settings = name, settings
        self._http = http
        self._asking = asyncio.Lock()
        self._metadata: ProviderMetadata | None = None
        self._read_at = self._keys_at = self._failed_at = self._asked_again_at = clock.EPOCH
        self._keys: list[Key] = []

    async def metadata(self) -> ProviderMetadata:
        """Where the issuer answers. Raises OidcUnavailable."""
        async with self._asking:
            now = clock.now()
            if self._metadata is None or now - self._read_at > FRESH:
                self._after_a_pause(now)
                self._metadata = self._understood(await self._read(self._discovery))
                self._read_at = now
            return self._metadata

    async def check(self) -> str:
        """Read the discovery document. Raises OidcUnavailable."""
        await self.metadata()
        return "the discovery document is there"

    async def redeem(self, code: str, *, verifier: str, nonce: str, redirect_uri: str) -> TokenResponse:
        """Exchange a code for verified claims. Raises OidcRefused, OidcUnavailable."""
        where = await self.metadata()
        answer = await self._trade(where, code, verifier, redirect_uri)
        token = answer.get("id_token")
        algorithm, key_id = id_token.header_of(token)
        key = await self._key(algorithm, key_id)
        claims = id_token.verify(
            str(token), key, algorithm, issuer=where.issuer, client_id=self.settings.client_id, nonce=nonce
        )
        return TokenResponse(
            where.issuer, claims["sub"], await self._with_userinfo(where, claims, answer.get("access_token"))
        )

    @property
    def _discovery(self) -> str:
        return self.settings.issuer.rstrip("/") + WELL_KNOWN

    def _understood(self, document: Any) -> ProviderMetadata:
        found = document if isinstance(document, dict) else {}
        issuer = found.get("issuer")
        if not isinstance(issuer, str) or issuer.rstrip("/") != self.settings.issuer.rstrip("/"):
            raise self._unavailable("the discovery document is of another issuer")
        places = {name: found.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
        for name, place in places.items():
            if not isinstance(place, str) or not self._may_call(place):
                raise self._unavailable(f"{name} is missing or no https address")
        userinfo = found.get("userinfo_endpoint")
        methods = found.get("token_endpoint_auth_methods_supported")
        return ProviderMetadata(
            issuer=issuer,
            authorize=str(places["authorization_endpoint"]),
            token=str(places["token_endpoint"]),
            keys=str(places["jwks_uri"]),
            userinfo=userinfo if isinstance(userinfo, str) and self._may_call(userinfo) else None,
            basic=not isinstance(methods, list) or "client_secret_basic" in methods,
            says_issuer=found.get("authorization_response_iss_parameter_supported") is True,
        )

    def _may_call(self, url: str) -> bool:
        """A document cannot send us elsewhere than to the web: http stays on the issuer's own loopback address."""
        if not is_safe_url(url):
            return False
        return urlsplit(url).scheme == "https" or urlsplit(url).netloc == urlsplit(self.settings.issuer).netloc

    async def _trade(self, where: ProviderMetadata, code: str, verifier: str, redirect_uri: str) -> dict[str, Any]:
        given = self.settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        secret = given.client_secret.get_secret_value()
        if secret and where.basic:
            pair = f"{quote(given.client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": given.client_id, **({"client_secret": secret} if secret else {})}
        answer = await self._call("POST", where.token, headers=headers, body=urlencode(form).encode())
        if answer.status in (408, 425, 429) or answer.status >= 500:
            raise self._unavailable(f"the token endpoint answered {answer.status}")
        if answer.status != 200:
            log.warning("oidc_code_refused", provider=self.name, status=answer.status, error=_error_in(answer))
            raise OidcRefused
        found = self._json(answer)
        if not isinstance(found, dict):
            raise OidcRefused
        return found

    async def _with_userinfo(
        self, where: ProviderMetadata, claims: dict[str, Any], access_token: Any
    ) -> Mapping[str, Any]:
        """The claims, with those that the issuer keeps out of its tokens; the token's own win."""
        wanted = {"email", *((self.settings.role_claim.split(".")[0],) if self.settings.role_claim else ())}
        if wanted <= claims.keys() or where.userinfo is None or not isinstance(access_token, str):
            return claims
        if not access_token.isascii() or not access_token.isprintable():
            raise OidcRefused
        answer = await self._call("GET", where.userinfo, headers={"Authorization": f"Bearer {access_token}"})
        more = self._json(answer) if answer.status == 200 else None
        if not isinstance(more, dict):
            return claims
        if more.get("sub") != claims["sub"]:
            raise OidcRefused
        # The address and its verification must come from the same response.
        kept = claims if "email" in claims else {name: claims[name] for name in claims.keys() - {"email_verified"}}
        if "email" in claims:
            more.pop("email_verified", None)
        return {**more, **kept}

    async def _key(self, algorithm: str, key_id: str | None) -> Key:
        """The signing key; an unknown one is fetched from the provider. Raises OidcRefused."""
        where = await self.metadata()
        async with self._asking:
            now = clock.now()
            stale = now - self._keys_at > FRESH
            if stale:
                await self._read_keys(where.keys, now)
            found = id_token.pick(self._keys, algorithm, key_id)
            if found is None and not stale and now - self._asked_again_at > KEY_REFETCH_INTERVAL:
                self._asked_again_at = now
                await self._read_keys(where.keys, now)
                found = id_token.pick(self._keys, algorithm, key_id)
        if found is None:
            log.warning("oidc_key_unknown", provider=self.name)
            raise OidcRefused
        return found

    async def _read_keys(self, place: str, now: datetime) -> None:
        self._after_a_pause(now)
        document = await self._read(place)
        try:
            self._keys = id_token.keys_from(document)
        except ValueError:
            raise self._unavailable("the key set is none") from None
        self._keys_at = now

    def _after_a_pause(self, now: datetime) -> None:
        if now - self._failed_at < AFTER_FAILURE:
            raise OidcUnavailable

    async def _read(self, url: str) -> Any:
        answer = await self._call("GET", url, headers={"Accept": "application/json"})
        if answer.status != 200:
            raise self._unavailable(f"a document was answered with {answer.status}")
        return self._json(answer)

    def _json(self, answer: Response) -> Any:
        try:
            return answer.json()
        except (HttpError, RecursionError):
            raise self._unavailable("the answer is not JSON") from None

    async def _call(self, method: str, url: str, **options: Any) -> Response:
        try:
            return await self._http.request(method, url, timeout=self.settings.timeout, max_bytes=LARGEST, **options)
        except HttpError as error:
            raise self._unavailable(type(error).__name__) from None

    def _unavailable(self, reason: str) -> OidcUnavailable:
        """The error for the caller; the reason is only logged."""
        self._failed_at = clock.now()
        log.warning("oidc_unavailable", provider=self.name, reason=reason)
        return OidcUnavailable()


def _error_in(answer: Response) -> str | None:
    """The standard's word for what was wrong, such as `invalid_client`, and never more than that word."""
    try:
        body = answer.json()
    except (HttpError, RecursionError):
        return None
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, str) and _WORD.fullmatch(error) else None


class OidcProviders:
    """The configured providers by name. Opened once per process, without network calls."""

    def __init__(self, settings: Mapping[str, OidcProviderSettings], http: Http) -> None:
        self._known = {name: OidcProvider(name, given, http) for name, given in settings.items()}

    def get(self, name: str) -> OidcProvider | None:
        """The provider with this name."""
        return self._known.get(name)

    def all(self) -> list[OidcProvider]:
        """All of them, by name."""
        return list(self._known.values())
