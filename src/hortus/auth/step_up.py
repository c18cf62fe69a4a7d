"""Step-up authentication: sensitive operations require that the session was authenticated recently."""

from datetime import datetime, timedelta

from sqlalchemy import exists, select, update

from hortus.accounts import Principal, Session, SessionNotFound, sessions_changed
from hortus.auth.errors import ReauthenticationRequired
from hortus.auth.tables import TotpFactor
from hortus.core import clock
from hortus.core.db import Tx

RECENT = timedelta(minutes=10)
"""The default limit for recent authentication."""
SECOND_FACTOR = "Verify your second factor (POST /api/auth/totp/reauthenticate, or use a passkey), then try again."


async def require_recent_authentication(tx: Tx, caller: Principal, within: timedelta = RECENT) -> None:
    """Raise ReauthenticationRequired unless the session was authenticated within that time, and with two factors if the
    account has a second factor, also for a session from before it was set up.

    A caller with an API key is always refused.
    """
    active = exists().where(TotpFactor.user_id == caller.user_id, TotpFactor.confirmed_at.is_not(None))
    query = select(Session.authenticated_at, Session.two_factors, active.label("has_second")).where(
        Session.id == caller.session_id, Session.user_id == caller.user_id, Session.revoked_at.is_(None)
    )
    found = (await tx.execute(query)).one_or_none()
    seconds = int(within.total_seconds())
    if found is not None and found.has_second and not found.two_factors:
        raise ReauthenticationRequired(SECOND_FACTOR, within_seconds=seconds, second_factor=True)
    if found is None or clock.now() - found.authenticated_at > within:
        raise ReauthenticationRequired(within_seconds=seconds)


async def mark_reauthenticated(tx: Tx, caller: Principal, method: str) -> datetime:
    """Record that the session was authenticated again by `method` (`password`, `totp`, `passkey`, `otp`); returns when.

    The caller has verified it. Raises SessionNotFound if the session has ended.
    """
    now = clock.now()
    query = (
        update(Session)
        .where(Session.id == caller.session_id, Session.user_id == caller.user_id, Session.revoked_at.is_(None))
        .values(authenticated_at=now, authenticated_by=method[:20])
        .returning(Session.id)
    )
    if (await tx.execute(query)).first() is None:
        raise SessionNotFound
    return now


async def mark_two_factors(tx: Tx, caller: Principal) -> None:
    """Record that the session was authenticated with two factors. The caller has verified them."""
    await tx.execute(update(Session).where(Session.id == caller.session_id).values(two_factors=True))
    sessions_changed(tx, caller.session_id)
