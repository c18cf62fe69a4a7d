"""Signed-in devices: open, refresh, prove again, revoke, list."""

from hortus.accounts.sessions.recent import (
    authenticated_again,
    recently_authenticated,
    two_factors_proved,
)
from hortus.accounts.sessions.service import (
    is_live,
    live_sessions,
    open_session,
    principal_of,
    refresh,
    revoke,
    revoke_others,
)

__all__ = [
    "authenticated_again",
    "is_live",
    "live_sessions",
    "open_session",
    "principal_of",
    "recently_authenticated",
    "refresh",
    "revoke",
    "revoke_others",
    "two_factors_proved",
]
