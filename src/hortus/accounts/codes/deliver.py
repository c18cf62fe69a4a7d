"""Writes the messages, after the request was answered: only here is it looked up whether somebody has an account."""

import secrets
from typing import Any

import structlog
from sqlalchemy import select, update

from hortus import senders, tasks
from hortus.accounts.codes import caps, guesses, links
from hortus.accounts.codes.desk import Codes, carried
from hortus.accounts.codes.tables import OneTimeCode
from hortus.accounts.codes.targets import Target
from hortus.accounts.tables import MAY_ENTER, Identifier, User
from hortus.core import clock
from hortus.core.db import Database, Tx
from hortus.core.resources import Resources

log = structlog.get_logger()
MINUTES = 10
_MAIL = {
    "sign_in": "sign_in_code",
    "sign_up": "sign_up_code",
    "verify": "verify_email",
    "link": "verify_email",
    "reset_password": "reset_password",
}
_SMS = {"sign_in": "sign_in_code", "link": "sign_in_code", "reset_password": "reset_password"}


async def write_code(tx: Tx, codes: Codes, request_id: str) -> None:
    """Make the code of a request and send it, once, if there is somebody to send it to."""
    row = (
        await tx.execute(
            select(OneTimeCode).where(
                OneTimeCode.id == request_id, OneTimeCode.digest.is_(None), OneTimeCode.expires_at > clock.now()
            )
        )
    ).scalar_one_or_none()
    if row is None:  # written before, or a newer request took its place
        return
    target = Target(row.kind, row.target)  # type: ignore[arg-type]
    holder = await _holder(tx, target)
    if row.purpose == "sign_up" and holder is not None and holder.verified_at is not None:
        await _tell_known(tx, row, target, holder)
        return
    if not _wanted(row.purpose, holder):
        return
    user_id = row.subject or (holder.id if holder is not None else None)
    wrong = await guesses.wrong_today(tx, codes.target_digest(target))
    code = codes.new_code(guesses.digits_after(wrong, codes.rules.long_codes_after))
    written = await tx.execute(
        update(OneTimeCode)
        .where(OneTimeCode.id == request_id, OneTimeCode.digest.is_(None))
        .values(digest=codes.code_digest(row.purpose, target, request_id, code), user_id=user_id)
        .returning(OneTimeCode.id)
    )
    if written.first() is None:
        return
    values: dict[str, Any] = {"code": code, "minutes": MINUTES}
    # An unproven name is a stranger's words: they never go into a mail of ours.
    if holder is not None and holder.verified_at is not None and not row.subject:
        values["name"] = holder.name
    purpose = links.purpose_of(row.purpose)
    if target.kind == "email" and purpose is not None and user_id is not None:
        values["link"] = await links.make_link(tx, codes.links_base, purpose, user_id, target)
    template = (_MAIL if target.kind == "email" else _SMS)[row.purpose]
    await _send(tx, target, template, row.language, values, user_id, senders.URGENT)


async def _notify(
    tx: Tx, target: Target, template: str, language: str, values: dict[str, Any], user_id: str | None
) -> None:
    """Write what nobody asked for, within the caps: an account cannot be used to flood its address or number."""
    codes = carried(tx)
    if codes is not None and not await caps.may_notify(tx, codes, target):
        log.warning("notice_not_sent", template=template, kind=target.kind, user_id=user_id, reason="over a cap")
        return
    await _send(tx, target, template, language, values, user_id)


async def _tell_known(tx: Tx, row: OneTimeCode, target: Target, holder: Any) -> None:
    """Tell the owner of an account that somebody signs up with their address; once, and no code is good for it."""
    nobody_knows = update(OneTimeCode).where(OneTimeCode.id == row.id, OneTimeCode.digest.is_(None))
    marked = await tx.execute(nobody_knows.values(digest=secrets.token_hex(32)).returning(OneTimeCode.id))
    if marked.first() is not None:
        await _send(tx, target, "already_registered", row.language, {"name": holder.name}, holder.id)


def _wanted(purpose: str, holder: Any) -> bool:
    if purpose in ("sign_in", "sign_up", "link"):  # a code to sign in also signs up
        return True
    if holder is None or holder.status not in MAY_ENTER:
        return False
    return purpose == "reset_password" or holder.verified_at is None


async def _holder(tx: Tx, target: Target) -> Any:
    query = (
        select(User.id, User.name, User.status, Identifier.verified_at)
        .join(Identifier, Identifier.user_id == User.id)
        .where(Identifier.kind == target.kind, Identifier.value == target.value)
    )
    return (await tx.execute(query)).one_or_none()


async def _send(
    tx: Tx,
    target: Target,
    template: str,
    language: str,
    values: dict[str, Any],
    user_id: str | None,
    priority: int = 0,
) -> None:
    send = senders.send_mail if target.kind == "email" else senders.send_sms
    to = target.value
    await send(tx, to=to, template=template, language=language, values=values, user_id=user_id, priority=priority)


async def tell_user(
    tx: Tx, user_id: str, template: str, *, but: Target | None = None, language: str = "en", **values: Any
) -> None:
    """Write to a user where they are reached: at their first verified identifier, mail before text message.

    Only somebody who has proved nothing yet is written to at an unproven address. Nothing is written to `but`.
    """
    query = select(Identifier.kind, Identifier.value, Identifier.verified_at).where(Identifier.user_id == user_id)
    if but is not None:
        query = query.where((Identifier.kind != but.kind) | (Identifier.value != but.value))
    found = (await tx.execute(query.order_by(Identifier.verified_at.is_(None), Identifier.kind, Identifier.id))).first()
    if found is not None:
        await _notify(tx, Target(found.kind, found.value), template, language, values, user_id)


def moment() -> str:
    """Now, as messages say it."""
    return f"{clock.now():%d %B %Y, %H:%M} UTC"


async def tell_target(
    tx: Tx, target: Target, template: str, *, user_id: str | None = None, language: str = "en", **values: Any
) -> None:
    """Write to an address or number."""
    await _notify(tx, target, template, language, values, user_id)


async def write_warning(tx: Tx, codes: Codes, request_id: str) -> None:
    """Tell the owner of a target that somebody tries codes on it; at most once a day, and only owners."""
    row = (await tx.execute(select(OneTimeCode).where(OneTimeCode.id == request_id))).scalar_one_or_none()
    if row is None:
        return
    target = Target(row.kind, row.target)  # type: ignore[arg-type]
    holder = await _holder(tx, target)
    if holder is None or holder.verified_at is None or not await guesses.tell_once(tx, codes.target_digest(target)):
        return
    await _notify(tx, target, "wrong_codes", row.language, {"name": holder.name}, holder.id)


async def _deliver(resources: Resources, task: tasks.Claimed) -> None:
    async with resources.get(Database).transaction() as tx:
        await write_code(tx, resources.get(Codes), task.payload["id"])


async def _warn(resources: Resources, task: tasks.Claimed) -> None:
    async with resources.get(Database).transaction() as tx:
        await write_warning(tx, resources.get(Codes), task.payload["id"])


DELIVER = tasks.define("accounts.code", _deliver, queue="mail")
WARN = tasks.define("accounts.wrong_codes", _warn, queue="mail")
