"""Security notices to the owner of an account."""

from datetime import datetime

from sqlalchemy import case, select

from hortus.accounts import Identifier, User
from hortus.auth import otp
from hortus.core.db import Tx

LANGUAGE = "en"


async def notify_new_sign_in(tx: Tx, user_id: str, *, device: str, address: str, at: datetime) -> None:
    """Notify the user that an unknown device signed in.

    A verified address is preferred; without an address, a verified number gets a text message.
    """
    values = {"device": device, "address": address, "time": f"{at:%d %B %Y, %H:%M} UTC"}
    unverified_last = case((Identifier.verified_at.is_(None), 1), else_=0)
    query = (
        select(Identifier.kind, Identifier.value, Identifier.verified_at, User.name)
        .join(User, User.id == Identifier.user_id)
        .where(Identifier.user_id == user_id)
        .order_by(Identifier.kind, unverified_last, Identifier.id)  # `email` sorts before `mobile`
    )
    to = (await tx.execute(query)).first()
    if to is None:
        return
    values["name"] = to.name
    if to.kind == "email" or to.verified_at is not None:
        target = otp.Target(to.kind, to.value)
        await otp.notify_target(tx, target, "new_sign_in", user_id=user_id, language=LANGUAGE, **values)
