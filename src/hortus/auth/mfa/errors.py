"""Errors of multi-factor authentication."""

from hortus.core.errors import Conflict, Forbidden, Problem, Unauthenticated


class BadSecondFactor(Unauthenticated):
    """Wrong, too old, or used before: the same answer."""

    code, title = "bad_second_factor", "This code is invalid"
    detail = "Wait for the next code of your authenticator app, or use a recovery code that was never used."


class BadChallenge(Unauthenticated):
    """Unknown, expired, used, or tried too often."""

    code, title = "bad_challenge", "This sign-in is over"
    detail = "Sign in again from the start."


class SecondFactorBlocked(Problem):
    """Too many wrong codes for this account; `retry_after` grows with each."""

    code, status, title = "second_factor_blocked", 429, "Too many wrong codes"
    detail = "Wait for `retry_after` seconds, then try again."


class SecondFactorRequired(Forbidden):
    """Administrators need a second factor, and this session was authenticated without one."""

    code, title = "second_factor_required", "Administrators need a second factor here"
    detail = "Set up an authenticator app (POST /api/auth/totp/setup), or sign in with one or with a passkey."


class TotpActive(Conflict):
    """An authenticator app is active already."""

    code, title = "totp_active", "An authenticator app is set up already"
    detail = "Disable the one you have first (POST /api/auth/totp/disable)."


class TotpNotActive(Conflict):
    """There is no authenticator app to confirm, use or disable."""

    code, title = "totp_not_active", "No authenticator app is set up"
    detail = "Set one up first (POST /api/auth/totp/setup)."
