"""Sessions of signed-in users: open, read, revoke, list."""

import hmac
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from hortus.accounts.errors import AccountSuspended, SessionNotFound
from hortus.accounts.principals import Principal, sessions_changed
from hortus.accounts.secret_tokens import digest_of, new_secret
from hortus.accounts.tables import RefreshToken, Session, User
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.core.db.compiled_select import Executor, PreparedSelect
from hortus.core.db.paging import Page, PageRequest, newest
from hortus.core.errors import Problem, Unauthenticated


async def open_session(
    tx: Tx,
    user_id: str,
    *,
    device: str,
    address: str,
    lifetime: timedelta,
    method: str = "password",
    device_id: str | None = None,
    two_factors: bool = False,
) -> tuple[str, str]:
    """Create a session that was just authenticated by `method`; returns its id and first refresh token."""
    now, session_id = clock.now(), ids.new()
    session = {
        "id": session_id,
        "user_id": user_id,
        "device": device[:200],
        "address": address[:64],
        "created_at": now,
        "last_used_at": now,
        "expires_at": now + lifetime,
        "authenticated_at": now,
        "authenticated_by": method[:20],
        "device_id": device_id,
        "two_factors": two_factors,
    }
    await tx.execute(insert(Session), session)
    return session_id, await add_refresh_token(tx, session_id, new_secret())


async def add_refresh_token(tx: Tx, session_id: str, secret: str) -> str:
    """Store a refresh token of a session by its digest; the token."""
    row = {"digest": digest_of(secret), "session_id": session_id, "created_at": clock.now()}
    await tx.execute(insert(RefreshToken), row)
    return secret


# Built once, of columns alone: this runs at every call.
_SESSIONS, _USERS = Session.__table__, User.__table__
_CALLER = PreparedSelect(
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


async def principal_of(executor: Executor, user_id: str, session_id: str) -> Principal:
    """The caller behind a session; raises Unauthenticated or AccountSuspended."""
    found = next(iter(await executor.read(_CALLER, session_id=session_id)), None)
    if found is not None and not hmac.compare_digest(found.id, user_id):
        raise Unauthenticated
    if found is not None and found.status == "suspended":  # its sessions are revoked: report the reason
        raise AccountSuspended
    if found is None or found.revoked_at is not None or found.expires_at <= clock.now():
        raise Unauthenticated("The session has ended. Sign in again.")
    if found.status != "active":
        raise AccountSuspended
    return Principal(user_id, session_id, found.role, two_factors=found.two_factors)


async def is_live(executor: Executor, user_id: str, session_id: str) -> bool:
    """Whether a call of that session would be answered."""
    try:
        await principal_of(executor, user_id, session_id)
    except Problem:
        return False
    return True


async def revoke_session(tx: Tx, user_id: str, session_id: str) -> None:
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


async def live_sessions(tx: Tx, user_id: str, paging: PageRequest) -> Page[Any]:
    """Where the user is signed in, newest first."""
    query = select(Session).where(
        Session.user_id == user_id, Session.revoked_at.is_(None), Session.expires_at > clock.now()
    )
    return await newest(tx, query, paging, Session.id)
