"""Second factors: an authenticator app (TOTP) and recovery codes, and the gate that asks for them at sign-in."""

from hortus.auth.mfa.challenges import CHALLENGE_SECONDS, open_challenge, sweep_challenges
from hortus.auth.mfa.service import (
    Proof,
    Status,
    answer_challenge,
    confirm_totp,
    disable_totp,
    methods_of,
    new_recovery_codes,
    prove,
    remove_factors,
    set_up_totp,
    status_of,
)

__all__ = [
    "CHALLENGE_SECONDS",
    "Proof",
    "Status",
    "answer_challenge",
    "confirm_totp",
    "disable_totp",
    "methods_of",
    "new_recovery_codes",
    "open_challenge",
    "prove",
    "remove_factors",
    "set_up_totp",
    "status_of",
    "sweep_challenges",
]
