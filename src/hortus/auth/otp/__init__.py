"""One-time codes and links: how somebody proves that an address or a number is theirs."""

from hortus.accounts.targets import Target, mobile
from hortus.auth.otp.attempts import GAP
from hortus.auth.otp.cleanup import sweep
from hortus.auth.otp.errors import BadCode, BadLink
from hortus.auth.otp.hasher import Codes
from hortus.auth.otp.links import Followed, cancel_links, follow_link, make_token
from hortus.auth.otp.notifications import moment, tell_target, tell_user
from hortus.auth.otp.service import (
    LIFE,
    Asked,
    Proof,
    Purpose,
    ask,
    forget_codes,
    purpose_to_verify,
    try_code,
)

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
]
