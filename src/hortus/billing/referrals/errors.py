"""Errors of referrals."""

from hortus.core.errors import Conflict, NotFound


class ReferralNotFound(NotFound):
    """No customer has this code."""

    code, title = "referral_not_found", "No customer has this code"
    detail = "Check how the code is spelt."


class ReferralNotPossible(Conflict):
    """Too late, set before, or one's own code."""

    code, title = "referral_not_possible", "This code cannot be used by you"
    detail = "Send the code of another customer, once, before your first payment."
