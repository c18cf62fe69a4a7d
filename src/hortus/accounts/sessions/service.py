"""Sessions: open, refresh, revoke, list."""

import hmac
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from hortus.accounts.errors import AccountSuspended, BadRefreshToken, RefreshReused, SessionNotFound
from hortus.accounts.principal import Principal
from hortus.accounts.tables import RefreshToken, Session, User
from hortus.accounts.tokens import digest_of, new_secret
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.core.errors import Problem, Unauthenticated
from hortus.core.paging import Page, Paging, newest_first, page_of

GRACE = timedelta(seconds=10)
"""How long a used refresh token still works: its answer may have been lost on the way."""


async def open_session(
    tx: Tx,
    user_id: str,
    *,
    device: str,
    address: str,
    lasts: timedelta,
    method: str = "password",
    device_id: str | None = None,
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
    }
    await tx.execute(insert(Session), session)
    return session_id, await _new_refresh_token(tx, session_id)


async def _new_refresh_token(tx: Tx, session_id: str) -> str:
    secret = new_secret()
    row = {"digest": digest_of(secret), "session_id": session_id, "created_at": clock.now()}
    await tx.execute(insert(RefreshToken), row)
    return secret


async def refresh(tx: Tx, refresh_token: str, *, lasts: timedelta) -> tuple[str, str, str] | Problem:
    """(user id, session id, next refresh token), or the refusal.

    A refusal is returned, not raised: a reused token revokes its session, and that must commit.
    """
    now, digest = clock.now(), digest_of(refresh_token)
    query = (
        select(RefreshToken.used_at, Session, User.status)
        .join(Session, Session.id == RefreshToken.session_id)
        .join(User, User.id == Session.user_id)
        .where(RefreshToken.digest == digest)
        .with_for_update(of=[RefreshToken])
    )
    found = (await tx.execute(query)).one_or_none()
    if found is None:
        return BadRefreshToken()
    used_at, session, status = found
    if session.revoked_at is not None or session.expires_at <= now:
        return BadRefreshToken()
    if status != "active":
        return AccountSuspended()
    if used_at is not None and now - used_at > GRACE:
        await revoke(tx, session.user_id, session.id)
        return RefreshReused()
    if used_at is None:
        await tx.execute(update(RefreshToken).where(RefreshToken.digest == digest).values(used_at=now))
    await tx.execute(update(Session).where(Session.id == session.id).values(last_used_at=now, expires_at=now + lasts))
    return session.user_id, session.id, await _new_refresh_token(tx, session.id)


# Built once, of columns alone: this runs at every call.
_SESSIONS, _USERS = Session.__table__, User.__table__
_CALLER = (
    select(_SESSIONS.c.revoked_at, _SESSIONS.c.expires_at, _USERS.c.id, _USERS.c.role, _USERS.c.status)
    .select_from(_SESSIONS.join(_USERS, _USERS.c.id == _SESSIONS.c.user_id))
    .where(_SESSIONS.c.id == bindparam("session_id"))
)


async def principal_of(tx: Tx, user_id: str, session_id: str) -> Principal:
    """The caller behind a session; raises Unauthenticated or AccountSuspended."""
    found = (await tx.execute(_CALLER, {"session_id": session_id})).one_or_none()
    if found is None or found.revoked_at is not None or found.expires_at <= clock.now():
        raise Unauthenticated("The session has ended. Sign in again.")
    if not hmac.compare_digest(found.id, user_id):
        raise Unauthenticated
    if found.status != "active":
        raise AccountSuspended
    return Principal(user_id, session_id, found.role)


async def revoke(tx: Tx, user_id: str, session_id: str) -> None:
    """End one session; raises SessionNotFound when it is not the user's."""
    query = (
        update(Session)
        .where(Session.id == session_id, Session.user_id == user_id, Session.revoked_at.is_(None))
        .values(revoked_at=clock.now())
        .returning(Session.id)
    )
    if (await tx.execute(query)).first() is None:
        raise SessionNotFound


async def revoke_others(tx: Tx, user_id: str, except_: str | None) -> list[str]:
    """End every session of the user but one; the ids of those that ended."""
    query = update(Session).where(Session.user_id == user_id, Session.revoked_at.is_(None))
    if except_ is not None:
        query = query.where(Session.id != except_)
    return list((await tx.execute(query.values(revoked_at=clock.now()).returning(Session.id))).scalars())


async def live_sessions(tx: Tx, user_id: str, paging: Paging) -> Page[Any]:
    """Where the user is signed in, newest first."""
    query = select(Session).where(
        Session.user_id == user_id, Session.revoked_at.is_(None), Session.expires_at > clock.now()
    )
    rows = (await tx.execute(newest_first(query, paging, Session.id))).scalars().all()
    shown, cursor = page_of(rows, paging, lambda row: (row.id,))
    return Page(items=shown, next_cursor=cursor)
