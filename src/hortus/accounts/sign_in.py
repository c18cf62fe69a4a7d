"""Signing in: whichever way a user proved who they are, this opens the session and makes the answer."""

from dataclasses import asdict
from datetime import datetime, timedelta

from fastapi import Request

from hortus.accounts import service, sessions
from hortus.accounts.extras import ProfileExtras
from hortus.accounts.schemas import TokensOut, UserOut
from hortus.accounts.tokens import AccessTokens
from hortus.core.db import Tx
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.core.web import address_of


def session_lasts(resources: Resources) -> timedelta:
    """How long a session lives without being used."""
    return timedelta(days=resources.get(Settings).refresh_token_expire_days)


async def sign_in(tx: Tx, request: Request, resources: Resources, user_id: str) -> TokensOut:
    """Open a session of the user on the device that asks. The caller has checked every proof."""
    device = request.headers.get("user-agent", "unknown")
    session_id, refresh_token = await sessions.open_session(
        tx, user_id, device=device, address=address_of(request), lasts=session_lasts(resources)
    )
    return await tokens_of(tx, resources, user_id, session_id, refresh_token)


async def tokens_of(
    tx: Tx, resources: Resources, user_id: str, session_id: str, refresh_token: str, at: datetime | None = None
) -> TokensOut:
    """The answer of every way in: the user, and the pair of tokens of a session."""
    access = resources.get(AccessTokens)
    extras = await resources.get(ProfileExtras).of(tx, user_id)
    user = UserOut(**asdict(await service.profile_of(tx, user_id)), plan=extras["plan"])
    return TokensOut(
        user=user,
        access_token=access.sign(user_id, session_id, at),
        refresh_token=refresh_token,
        expires_in=access.seconds,
    )
