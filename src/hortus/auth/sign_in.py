"""The end of every sign-in: the second factor, the session, and the response with tokens."""

from datetime import datetime, timedelta

from fastapi import Request

from hortus.accounts import ProfileExtensions, device_name, devices, reopen_account, sessions, users
from hortus.auth import mfa, passkeys, session_cookies
from hortus.auth.access_tokens import AccessTokens
from hortus.auth.device_cookie import DeviceCookie
from hortus.auth.schemas import SecondFactorOut, TokensOut, UserOut
from hortus.auth.security_emails import notify_new_sign_in
from hortus.core import clock
from hortus.core.db import Tx
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.core.web.deps import client_ip_of, network_of

SIGN_IN = "The account was created, and its tokens were shown once. Sign in at POST /api/auth/login."
SIGN_IN_AGAIN = "The sign-in was completed, and its tokens were shown once. Sign in again with a new code or password."
"""The detail of the error for a repeated request whose tokens were already returned."""


def session_lifetime(resources: Resources) -> timedelta:
    """How long a session lives without being used."""
    return timedelta(days=resources[Settings].refresh_token_expire_days)


async def sign_in(
    tx: Tx, request: Request, resources: Resources, user_id: str, *, method: str = "password", status: str = ""
) -> TokensOut | SecondFactorOut:
    """Sign in a user whose first factor (`method`) was verified.

    Returns a challenge without tokens if the user has a second factor; otherwise as `complete_sign_in`.
    """
    asked = await mfa.methods_of(tx, user_id)
    if not asked:
        return await complete_sign_in(tx, request, resources, user_id, method=method, status=status)
    if await passkeys.has_passkey(tx, user_id):
        asked.append("passkey")
    challenge = await mfa.open_challenge(tx, user_id)
    return SecondFactorOut(challenge=challenge, methods=asked, expires_in=mfa.CHALLENGE_SECONDS)


async def complete_sign_in(
    tx: Tx,
    request: Request,
    resources: Resources,
    user_id: str,
    *,
    method: str,
    two_factors: bool = False,
    status: str = "",
) -> TokensOut:
    """Open a session on the client's device. Only for callers that verified every factor, as the second step of a
    sign-in and passkeys do; all others call `sign_in`.
    """
    if status != "active":  # a caller that has locked the row knows it
        await reopen_account(tx, user_id)
    agent, address = request.headers.get("user-agent", "unknown"), client_ip_of(request)
    cookie, name = resources[DeviceCookie], device_name(agent)
    seen = await devices.remember_device(
        tx, user_id, device_id=cookie.read(request), name=name, network=network_of(request)
    )
    tx.after_commit(lambda: cookie.put(request, seen.device_id))
    if seen.surprising:
        await notify_new_sign_in(tx, user_id, device=name, address=address, at=clock.now())
    session_id, refresh_token = await sessions.open_session(
        tx,
        user_id,
        device=agent,
        device_id=seen.device_id,
        address=address,
        lifetime=session_lifetime(resources),
        method=method,
        two_factors=two_factors,
    )
    tokens = await tokens_of(tx, resources, user_id, session_id, refresh_token)
    return in_cookies(tx, request, resources, tokens) if session_cookies.wanted(request) else tokens


def in_cookies(tx: Tx, request: Request, resources: Resources, tokens: TokensOut) -> TokensOut:
    """Send the tokens as cookies once the transaction has committed; the answer that is left."""
    seconds = int(session_lifetime(resources).total_seconds())
    tx.after_commit(lambda: session_cookies.put(request, tokens, seconds=seconds))
    return session_cookies.without_tokens(tokens)


async def tokens_of(
    tx: Tx, resources: Resources, user_id: str, session_id: str, refresh_token: str, at: datetime | None = None
) -> TokensOut:
    """The response of a sign-in: the user and the tokens of the session."""
    access = resources[AccessTokens]
    plan = await resources[ProfileExtensions].plan_of(tx, user_id)
    user = UserOut(**(await users.profile_of(tx, user_id))._asdict(), plan=plan)
    return TokensOut(
        user=user,
        access_token=access.sign(user_id, session_id, at),
        refresh_token=refresh_token,
        expires_in=access.seconds,
    )
