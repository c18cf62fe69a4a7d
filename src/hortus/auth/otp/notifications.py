"""Messages to users about their account, such as security notices, within the limits on unrequested messages."""

from typing import Any

import structlog
from sqlalchemy import select

from hortus import senders
from hortus.accounts import Identifier, Target
from hortus.auth.otp import send_limits
from hortus.auth.otp.hasher import otp_hasher_of
from hortus.core import clock
from hortus.core.db import Tx

log = structlog.get_logger()


async def notify_user(
    tx: Tx, user_id: str, template: str, *, but: Target | None = None, language: str = "en", **values: Any
) -> None:
    """Send a message to the first verified identifier of a user, e-mail before text message.

    An unverified address is used only if the user has no verified identifier. Nothing is sent to `but`.
    """
    query = select(Identifier.kind, Identifier.value, Identifier.verified_at).where(Identifier.user_id == user_id)
    if but is not None:
        query = query.where((Identifier.kind != but.kind) | (Identifier.value != but.value))
    found = (await tx.execute(query.order_by(Identifier.verified_at.is_(None), Identifier.kind, Identifier.id))).first()
    if found is not None:
        await notify(tx, Target(found.kind, found.value), template, language, values, user_id)


async def notify_target(
    tx: Tx, target: Target, template: str, *, user_id: str | None = None, language: str = "en", **values: Any
) -> None:
    """Write to an address or number."""
    await notify(tx, target, template, language, values, user_id)


def message_time() -> str:
    """The current time as text for messages."""
    return f"{clock.now():%d %B %Y, %H:%M} UTC"


async def notify(
    tx: Tx, target: Target, template: str, language: str, values: dict[str, Any], user_id: str | None
) -> None:
    """Send an unrequested message within the limits, so that an account cannot be used to flood its owner."""
    if not await send_limits.may_notify(tx, tx.derived(otp_hasher_of), target):
        log.warning("notice_not_sent", template=template, kind=target.kind, user_id=user_id, reason="over a cap")
        return
    await send(tx, target, template, language, values, user_id)


async def send(
    tx: Tx,
    target: Target,
    template: str,
    language: str,
    values: dict[str, Any],
    user_id: str | None,
    priority: int = 0,
) -> None:
    """Queue the message at the sender for the kind of target."""
    deliver = senders.send_mail if target.kind == "email" else senders.send_sms
    to = target.value
    await deliver(tx, to=to, template=template, language=language, values=values, user_id=user_id, priority=priority)
