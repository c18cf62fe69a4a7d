"""Multi-factor authentication: authenticator apps (TOTP), recovery codes, and challenges at sign-in."""

from hortus.auth.mfa.challenges import CHALLENGE_SECONDS, open_challenge, sweep_challenges
from hortus.auth.mfa.service import (
    MfaStatus,
    SecondFactorAttempt,
    answer_challenge,
    confirm_totp,
    disable_totp,
    methods_of,
    new_recovery_codes,
    remove_factors,
    set_up_totp,
    status_of,
    verify_second_factor,
)

__all__ = [
    "CHALLENGE_SECONDS",
    "MfaStatus",
    "SecondFactorAttempt",
    "answer_challenge",
    "confirm_totp",
    "disable_totp",
    "methods_of",
    "new_recovery_codes",
    "open_challenge",
    "remove_factors",
    "set_up_totp",
    "status_of",
    "sweep_challenges",
    "verify_second_factor",
]
