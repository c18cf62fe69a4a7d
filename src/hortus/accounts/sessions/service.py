"""Sessions: open, refresh, revoke, list."""

import base64
import contextlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from hortus.accounts.codes.deliver import moment, tell_user
from hortus.accounts.devices import device_name
from hortus.accounts.errors import AccountSuspended, BadRefreshToken, RefreshReused, SessionNotFound
from hortus.accounts.principal import Principal, sessions_changed
from hortus.accounts.tables import RefreshToken, Session, User
from hortus.accounts.tokens import digest_of, new_secret
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.core.db.compiled_select import Read, Source
from hortus.core.db.paging import Page, Paging, newest
from hortus.core.errors import Problem, Unauthenticated

GRACE = timedelta(seconds=10)
"""How long a used refresh token still works: its answer may have been lost on the way."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The next pair of a session: its refresh token, and the moment from which its access token is good."""

    user_id: str
    session_id: str
    refresh_token: str
    at: datetime


async def open_session(
    tx: Tx,
    user_id: str,
    *,
    device: str,
    address: str,
    lasts: timedelta,
    method: str = "password",
    device_id: str | None = None,
    two_factors: bool = False,
) -> tuple[str, str]:
    """A new session, just proved by `method`; its id and first refresh token."""
    now, session_id = clock.now(), ids.new()
    session = {
        "id": session_id,
        "user_id": user_id,
        "device": device[:200],
        "address": address[:64],
        "created_at": now,
        "last_used_at": now,
        "expires_at": now + lasts,
        "authenticated_at": now,
        "authenticated_by": method[:20],
        "device_id": device_id,
        "two_factors": two_factors,
    }
    await tx.execute(insert(Session), session)
    return session_id, await _keep_refresh_token(tx, session_id, new_secret())


async def _keep_refresh_token(tx: Tx, session_id: str, secret: str) -> str:
    row = {"digest": digest_of(secret), "session_id": session_id, "created_at": clock.now()}
    await tx.execute(insert(RefreshToken), row)
    return secret


def _next_token(key: bytes, used: str, session_id: str) -> str:
    """The one successor of a refresh token: whoever lost it gets it again, and it is stored nowhere."""
    digest = hmac.digest(key, f"{session_id} {used}".encode("utf-8", "replace"), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


_STATE = (
    select(RefreshToken.used_at, RefreshToken.session_id, Session.user_id, Session.revoked_at, Session.expires_at)
    .add_columns(User.status)
    .join(Session, Session.id == RefreshToken.session_id)
    .join(User, User.id == Session.user_id)
)


async def refresh(
    tx: Tx, refresh_token: str, *, keys: Sequence[bytes], lasts: timedelta, address: str
) -> Refreshed | Problem:
    """The successor of a refresh token, or the refusal.

    However often and however parallel one token comes within the grace, it has one successor, which is
    the answer each time. A refusal is returned, not raised: a reused token revokes its session, and that
    must commit.
    """
    now, digest = clock.now(), digest_of(refresh_token)
    found = (await tx.execute(_STATE.where(RefreshToken.digest == digest))).one_or_none()
    if found is not None and found.status == "suspended":  # its sessions were revoked: say why
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
        renewed = renewed.values(last_used_at=now, expires_at=now + lasts, address=address[:64])
        await tx.execute(renewed)
        successor = await _keep_refresh_token(
            tx, found.session_id, _next_token(keys[0], refresh_token, found.session_id)
        )
        return Refreshed(found.user_id, found.session_id, successor, now)
    return await _again(tx, refresh_token, found.user_id, found.session_id, keys)


async def _again(
    tx: Tx, refresh_token: str, user_id: str, session_id: str, keys: Sequence[bytes]
) -> Refreshed | Problem:
    """The answer to a token that was used before: its successor within the grace, the end of its session after."""
    query = select(RefreshToken.used_at).where(RefreshToken.digest == digest_of(refresh_token))
    used_at = (await tx.execute(query)).scalar_one()
    if used_at is not None and clock.now() - used_at <= GRACE:
        made = {digest_of(secret): secret for secret in (_next_token(key, refresh_token, session_id) for key in keys)}
        kept = (await tx.execute(select(RefreshToken.digest).where(RefreshToken.digest.in_(made)))).scalars().first()
        if kept is not None:
            return Refreshed(user_id, session_id, made[kept], used_at)
    with contextlib.suppress(SessionNotFound):  # somebody else noticed too
        await revoke(tx, user_id, session_id)
        agent = (await tx.execute(select(Session.device).where(Session.id == session_id))).scalar_one()
        await tell_user(tx, user_id, "session_reused", device=device_name(agent), time=moment())
    return RefreshReused()


# Built once, of columns alone: this runs at every call.
_SESSIONS, _USERS = Session.__table__, User.__table__
_CALLER = Read(
    select(
        _SESSIONS.c.revoked_at,
        _SESSIONS.c.expires_at,
        _SESSIONS.c.two_factors,
        _USERS.c.id,
        _USERS.c.role,
        _USERS.c.status,
    )
    .select_from(_SESSIONS.join(_USERS, _USERS.c.id == _SESSIONS.c.user_id))
    .where(_SESSIONS.c.id == bindparam("session_id"))
)


async def principal_of(source: Source, user_id: str, session_id: str) -> Principal:
    """The caller behind a session; raises Unauthenticated or AccountSuspended."""
    found = next(iter(await source.read(_CALLER, session_id=session_id)), None)
    if found is not None and not hmac.compare_digest(found.id, user_id):
        raise Unauthenticated
    if found is not None and found.status == "suspended":  # its sessions were revoked: say why
        raise AccountSuspended
    if found is None or found.revoked_at is not None or found.expires_at <= clock.now():
        raise Unauthenticated("The session has ended. Sign in again.")
    if found.status != "active":
        raise AccountSuspended
    return Principal(user_id, session_id, found.role, two_factors=found.two_factors)


async def is_live(source: Source, user_id: str, session_id: str) -> bool:
    """Whether a call of that session would be answered."""
    try:
        await principal_of(source, user_id, session_id)
    except Problem:
        return False
    return True


async def revoke(tx: Tx, user_id: str, session_id: str) -> None:
    """End one session, on every process at once; raises SessionNotFound when it is not the user's."""
    query = (
        update(Session)
        .where(Session.id == session_id, Session.user_id == user_id, Session.revoked_at.is_(None))
        .values(revoked_at=clock.now())
        .returning(Session.id)
    )
    if (await tx.execute(query)).first() is None:
        raise SessionNotFound
    sessions_changed(tx, session_id)


async def revoke_others(tx: Tx, user_id: str, except_: str | None) -> list[str]:
    """End every session of the user but one; the ids of those that ended."""
    query = update(Session).where(Session.user_id == user_id, Session.revoked_at.is_(None))
    if except_ is not None:
        query = query.where(Session.id != except_)
    ended = list((await tx.execute(query.values(revoked_at=clock.now()).returning(Session.id))).scalars())
    sessions_changed(tx, *ended)
    return ended


async def live_sessions(tx: Tx, user_id: str, paging: Paging) -> Page[Any]:
    """Where the user is signed in, newest first."""
    query = select(Session).where(
        Session.user_id == user_id, Session.revoked_at.is_(None), Session.expires_at > clock.now()
    )
    return await newest(tx, query, paging, Session.id)
