"""Builds OTP requests from HTTP requests."""

from fastapi import Request

from hortus import senders
from hortus.accounts import Target
from hortus.auth.otp.hasher import OtpHasher
from hortus.auth.otp.service import OtpRequest, Purpose, contest, request_otp
from hortus.core.db import Tx
from hortus.core.errors import TooManyRequests
from hortus.core.web.deps import network_of


def otp_request(
    request: Request, purpose: Purpose, target: Target, *, subject: str = "", pending: str | None = None
) -> OtpRequest:
    """The OTP request of an HTTP request, to send a code or to check one."""
    language = senders.language_of(request.headers.get("accept-language", "")[:20].split(",")[0].split(";")[0].strip())
    return OtpRequest(purpose, target, network_of(request), language, subject, pending)


async def request_otp_if_allowed(tx: Tx, hasher: OtpHasher, requested: OtpRequest) -> None:
    """Request a code as part of another operation: over a limit no code is sent and no error is raised.

    A different sign-up for the same target is contested by this one, also if no code is sent.
    """
    try:
        async with tx.begin_nested():
            await request_otp(tx, hasher, requested)
    except TooManyRequests:
        await contest(tx, requested)
