"""Rotation of refresh tokens: each is traded once for its successor, and its reuse revokes the session."""

import base64
import contextlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update

from hortus.accounts import (
    AccountSuspended,
    RefreshToken,
    Session,
    SessionNotFound,
    User,
    add_refresh_token,
    device_name,
    digest_of,
    revoke_session,
)
from hortus.auth.errors import BadRefreshToken, RefreshReused
from hortus.auth.otp import message_time, notify_user
from hortus.core import clock
from hortus.core.db import Tx
from hortus.core.errors import Problem

GRACE = timedelta(seconds=10)
"""How long a used refresh token still works: its answer may have been lost on the way."""


@dataclass(frozen=True, slots=True)
class TokenRotation:
    """The new refresh token of a session, and the start of validity of its access token."""

    user_id: str
    session_id: str
    refresh_token: str
    at: datetime


def _next_token(key: bytes, used: str, session_id: str) -> str:
    """The only successor of a refresh token, derived from it: a lost response can be repeated."""
    digest = hmac.digest(key, f"{session_id} {used}".encode("utf-8", "replace"), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


_STATE = (
    select(RefreshToken.used_at, RefreshToken.session_id, Session.user_id, Session.revoked_at, Session.expires_at)
    .add_columns(User.status)
    .join(Session, Session.id == RefreshToken.session_id)
    .join(User, User.id == Session.user_id)
)


async def refresh(
    tx: Tx, refresh_token: str, *, keys: Sequence[bytes], lifetime: timedelta, address: str
) -> TokenRotation | Problem:
    """The successor of a refresh token, or the error.

    Within the grace period a token has one successor, which is returned for every repeated or concurrent request. An
    error is returned, not raised: a reused token revokes its session, and that must be committed.
    """
    now, digest = clock.now(), digest_of(refresh_token)
    found = (await tx.execute(_STATE.where(RefreshToken.digest == digest))).one_or_none()
    if found is not None and found.status == "suspended":  # its sessions are revoked: report the reason
        return AccountSuspended()
    if found is None or found.revoked_at is not None or found.expires_at <= now:
        return BadRefreshToken()
    if found.status != "active":
        return AccountSuspended()
    first = (
        update(RefreshToken)
        .where(RefreshToken.digest == digest, RefreshToken.used_at.is_(None))
        .values(used_at=now)
        .returning(RefreshToken.digest)
    )
    if (await tx.execute(first)).first() is not None:
        renewed = update(Session).where(Session.id == found.session_id, Session.revoked_at.is_(None))
        renewed = renewed.values(last_used_at=now, expires_at=now + lifetime, address=address[:64])
        await tx.execute(renewed)
        successor = await add_refresh_token(tx, found.session_id, _next_token(keys[0], refresh_token, found.session_id))
        return TokenRotation(found.user_id, found.session_id, successor, now)
    return await _again(tx, refresh_token, found.user_id, found.session_id, keys)


async def _again(
    tx: Tx, refresh_token: str, user_id: str, session_id: str, keys: Sequence[bytes]
) -> TokenRotation | Problem:
    """The answer to a token that was used before: its successor within the grace, the end of its session after."""
    query = select(RefreshToken.used_at).where(RefreshToken.digest == digest_of(refresh_token))
    used_at = (await tx.execute(query)).scalar_one()
    if used_at is not None and clock.now() - used_at <= GRACE:
        made = {digest_of(secret): secret for secret in (_next_token(key, refresh_token, session_id) for key in keys)}
        kept = (await tx.execute(select(RefreshToken.digest).where(RefreshToken.digest.in_(made)))).scalars().first()
        if kept is not None:
            return TokenRotation(user_id, session_id, made[kept], used_at)
    with contextlib.suppress(SessionNotFound):  # a concurrent request has revoked it
        await revoke_session(tx, user_id, session_id)
        agent = (await tx.execute(select(Session.device).where(Session.id == session_id))).scalar_one()
        await notify_user(tx, user_id, "session_reused", device=device_name(agent), time=message_time())
    return RefreshReused()
