"""One-time codes and links, which verify that an e-mail address or mobile number belongs to a user."""

from hortus.accounts import Target, mobile
from hortus.auth.otp.attempts import RESEND_PAUSE
from hortus.auth.otp.cleanup import sweep_otps
from hortus.auth.otp.errors import BadCode, BadLink
from hortus.auth.otp.hasher import OtpHasher
from hortus.auth.otp.links import ConsumedLink, cancel_links, consume_link, make_token
from hortus.auth.otp.notifications import message_time, notify_target, notify_user
from hortus.auth.otp.service import (
    OTP_LIFETIME,
    OtpRequest,
    Purpose,
    VerifiedOtp,
    cancel_otps,
    check_otp,
    purpose_to_verify,
    request_otp,
)

__all__ = [
    "OTP_LIFETIME",
    "RESEND_PAUSE",
    "BadCode",
    "BadLink",
    "ConsumedLink",
    "OtpHasher",
    "OtpRequest",
    "Purpose",
    "Target",
    "VerifiedOtp",
    "cancel_links",
    "cancel_otps",
    "check_otp",
    "consume_link",
    "make_token",
    "message_time",
    "mobile",
    "notify_target",
    "notify_user",
    "purpose_to_verify",
    "request_otp",
    "sweep_otps",
]
