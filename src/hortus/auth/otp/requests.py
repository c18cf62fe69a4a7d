"""How a request becomes a wish for a code."""

from fastapi import Request

from hortus import senders
from hortus.accounts.targets import Target
from hortus.auth.otp.hasher import Codes
from hortus.auth.otp.service import Asked, Purpose, ask, contest
from hortus.core.db import Tx
from hortus.core.errors import RateLimited
from hortus.core.web.deps import network_of


def asked(
    request: Request, purpose: Purpose, target: Target, *, subject: str = "", pending: str | None = None
) -> Asked:
    """What this request asks for, or the code of which it tries."""
    language = senders.language_of(request.headers.get("accept-language", "")[:20].split(",")[0].split(";")[0].strip())
    return Asked(purpose, target, network_of(request), language, subject, pending)


async def ask_if_allowed(tx: Tx, codes: Codes, wish: Asked) -> None:
    """Send a code beside something else that must happen anyway: over a cap, no code is sent and nothing is raised.

    Another sign-up than the one whose code is good now is contested by this one, also without a code of its own.
    """
    try:
        async with tx.begin_nested():
            await ask(tx, codes, wish)
    except RateLimited:
        await contest(tx, wish)
