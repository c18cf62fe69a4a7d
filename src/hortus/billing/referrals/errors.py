"""What can go wrong with bringing customers."""

from hortus.core.errors import Conflict, NotFound


class ReferralNotFound(NotFound):
    """Nobody has that code."""

    code, title = "referral_not_found", "Nobody has this code"
    detail = "Check how the code is spelt."


class ReferralNotPossible(Conflict):
    """Too late, said before, or one's own."""

    code, title = "referral_not_possible", "This code cannot be used by you"
    detail = "Name the code of somebody else, once, before your first payment."
