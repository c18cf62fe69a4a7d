"""One-time codes and links: how somebody proves that an address or a number is theirs."""

from hortus.accounts.codes.deliver import moment, tell_target, tell_user
from hortus.accounts.codes.desk import Codes
from hortus.accounts.codes.errors import BadCode, BadLink
from hortus.accounts.codes.guesses import GAP
from hortus.accounts.codes.links import Followed, cancel_links, follow_link, make_token
from hortus.accounts.codes.service import (
    LIFE,
    Asked,
    Proof,
    Purpose,
    ask,
    forget_codes,
    purpose_to_verify,
    try_code,
)
from hortus.accounts.codes.sweeping import sweep
from hortus.accounts.codes.targets import Target, mobile
from hortus.accounts.codes.welcome import Welcome, user_welcomed, welcome

__all__ = [
    "GAP",
    "LIFE",
    "Asked",
    "BadCode",
    "BadLink",
    "Codes",
    "Followed",
    "Proof",
    "Purpose",
    "Target",
    "Welcome",
    "ask",
    "cancel_links",
    "follow_link",
    "forget_codes",
    "make_token",
    "mobile",
    "moment",
    "purpose_to_verify",
    "sweep",
    "tell_target",
    "tell_user",
    "try_code",
    "user_welcomed",
    "welcome",
]
