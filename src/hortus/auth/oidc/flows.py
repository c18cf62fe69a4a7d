"""OIDC flows: begin, claim, complete, exchange. Each step succeeds once, also for concurrent requests.

The browser keeps a secret in a cookie. Nonce and PKCE verifier are derived from it, so that neither a callback in
another browser nor access to the database is sufficient.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, insert, or_, select, update

from hortus.accounts import digest_of, new_secret
from hortus.auth.oidc.errors import BadExchangeCode, OidcStateInvalid
from hortus.auth.tables import OidcFlow
from hortus.core import clock
from hortus.core.db import Tx

FLOW_LIFETIME = timedelta(minutes=10)
"""Time limit for signing in at the provider."""
EXCHANGED_WITHIN = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """The parameters of a new flow."""

    provider: str
    return_to: str = "/"
    challenge: str | None = None
    accepts_terms: bool = False
    link_user_id: str | None = None
    link_session_id: str | None = None


@dataclass(frozen=True, slots=True)
class LoginStarted:
    """A new flow: `state` is sent to the provider, `secret` is stored in the browser."""

    state: str
    secret: str

    @property
    def nonce(self) -> str:
        """The nonce that the ID token must contain."""
        return nonce_of(self.secret)

    @property
    def code_challenge(self) -> str:
        """PKCE, method S256."""
        return s256(verifier_of(self.secret))


@dataclass(frozen=True, slots=True)
class ClaimedLogin:
    """A flow whose callback arrived first, in the right browser."""

    state_digest: str
    secret: str
    return_to: str
    accepts_terms: bool
    link_user_id: str | None


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    """The external account that a signed-in user has verified."""

    issuer: str
    subject: str
    email: str | None


def s256(text: str) -> str:
    """The challenge of a verifier (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def nonce_of(secret: str) -> str:
    """The nonce of a browser's secret."""
    return s256(f"nonce {secret}")


def verifier_of(secret: str) -> str:
    """The PKCE verifier of a browser's secret."""
    return s256(f"verifier {secret}")


async def begin(tx: Tx, request: LoginRequest) -> LoginStarted:
    """Note that a sign-in has begun."""
    now, started = clock.now(), LoginStarted(new_secret(), new_secret())
    row = {
        "state_digest": digest_of(started.state),
        "provider": request.provider,
        "browser_digest": digest_of(started.secret),
        "challenge": request.challenge,
        "return_to": request.return_to,
        "accepts_terms": request.accepts_terms,
        "link_user_id": request.link_user_id,
        "link_session_id": request.link_session_id,
        "created_at": now,
        "expires_at": now + FLOW_LIFETIME,
    }
    await tx.execute(insert(OidcFlow), row)
    return started


async def claim(tx: Tx, provider: str, state: str, secrets: list[str]) -> ClaimedLogin:
    """Take the flow of this state, if one of these secrets is its browser's. Raises OidcStateInvalid.

    Of any number of callbacks with one state, one gets it.
    """
    by_digest = {digest_of(secret): secret for secret in secrets}
    query = (
        update(OidcFlow)
        .where(
            OidcFlow.state_digest == digest_of(state),
            OidcFlow.provider == provider,
            OidcFlow.browser_digest.in_(by_digest),
            OidcFlow.claimed_at.is_(None),
            OidcFlow.expires_at > clock.now(),
        )
        .values(claimed_at=clock.now())
        .returning(
            OidcFlow.state_digest,
            OidcFlow.browser_digest,
            OidcFlow.return_to,
            OidcFlow.accepts_terms,
            OidcFlow.link_user_id,
        )
    )
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise OidcStateInvalid
    return ClaimedLogin(
        row.state_digest, by_digest[row.browser_digest], row.return_to, row.accepts_terms, row.link_user_id
    )


async def complete(tx: Tx, flow: ClaimedLogin, found: str | ProviderAccount) -> str:
    """Keep the outcome, a user id or an account to link; the code that trades it, once, within two minutes."""
    code = new_secret()
    outcome: Mapping[str, Any] = (
        {"user_id": found}
        if isinstance(found, str)
        else {"issuer": found.issuer, "subject": found.subject, "email": found.email}
    )
    await tx.execute(
        update(OidcFlow)
        .where(OidcFlow.state_digest == flow.state_digest)
        .values(exchange_digest=digest_of(code), expires_at=clock.now() + EXCHANGED_WITHIN, **outcome)
    )
    return code


async def exchange(tx: Tx, code: str, *, secrets: list[str], verifier: str | None) -> tuple[str, str]:
    """(user id, browser digest) of a completed sign-in, once. Raises BadExchangeCode.

    A flow with a challenge is exchanged with its verifier, any other flow in the browser that began it, so that a code
    in a foreign link cannot sign a user in.
    """
    query = _trade(code, secrets, verifier).where(OidcFlow.link_user_id.is_(None))
    row = (await tx.execute(query.returning(OidcFlow.user_id, OidcFlow.browser_digest))).one_or_none()
    if row is None or row.user_id is None:
        raise BadExchangeCode
    return row.user_id, row.browser_digest


async def exchange_link(
    tx: Tx, code: str, *, secrets: list[str], verifier: str | None, user_id: str, session_id: str
) -> ProviderAccount:
    """The account that this very session set out to link, once. Raises BadExchangeCode."""
    query = _trade(code, secrets, verifier).where(
        OidcFlow.link_user_id == user_id, OidcFlow.link_session_id == session_id
    )
    row = (await tx.execute(query.returning(OidcFlow.issuer, OidcFlow.subject, OidcFlow.email))).one_or_none()
    if row is None or row.issuer is None or row.subject is None:
        raise BadExchangeCode
    return ProviderAccount(row.issuer, row.subject, row.email)


def _trade(code: str, secrets: list[str], verifier: str | None) -> Any:
    here = OidcFlow.challenge.is_(None) & OidcFlow.browser_digest.in_([digest_of(secret) for secret in secrets])
    return (
        update(OidcFlow)
        .where(
            OidcFlow.exchange_digest == digest_of(code),
            OidcFlow.exchanged_at.is_(None),
            OidcFlow.expires_at > clock.now(),
            or_(here, OidcFlow.challenge == s256(verifier)) if verifier else here,
        )
        .values(exchanged_at=clock.now())
    )


async def sweep_oidc_flows(tx: Tx, limit: int = 1000) -> int:
    """Delete up to `limit` expired flows; how many."""
    old = select(OidcFlow.state_digest).where(OidcFlow.expires_at < clock.now()).limit(limit)
    gone = await tx.execute(delete(OidcFlow).where(OidcFlow.state_digest.in_(old)).returning(OidcFlow.provider))
    return len(gone.all())
