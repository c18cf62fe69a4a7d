"""Delivery of codes by tasks, after the response: only here an account is looked up, so that timing reveals nothing."""

import secrets
from typing import Any

from sqlalchemy import select, update

from hortus import senders, tasks
from hortus.accounts import SIGN_IN_STATUSES, Identifier, Target, User
from hortus.auth.otp import attempts, links
from hortus.auth.otp.hasher import OtpHasher
from hortus.auth.otp.notifications import notify, send
from hortus.auth.tables import OneTimeCode
from hortus.core import clock
from hortus.core.db import Database, Tx
from hortus.core.resources import Resources

MINUTES = 10
_MAIL = {
    "sign_in": "sign_in_code",
    "sign_up": "sign_up_code",
    "verify": "verify_email",
    "link": "verify_email",
    "reset_password": "reset_password",
}
_SMS = {"sign_in": "sign_in_code", "link": "sign_in_code", "reset_password": "reset_password"}


async def write_code(tx: Tx, hasher: OtpHasher, request_id: str) -> None:
    """Create the code of a request and send it, once, if its purpose applies to the target."""
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
        await _notify_registered_owner(tx, row, target, holder)
        return
    if not _wanted(row.purpose, holder):
        return
    user_id = row.subject or (holder.id if holder is not None else None)
    wrong = await attempts.wrong_today(tx, hasher.target_digest(target))
    code = hasher.new_code(attempts.digits_after(wrong, hasher.rules.long_codes_after))
    written = await tx.execute(
        update(OneTimeCode)
        .where(OneTimeCode.id == request_id, OneTimeCode.digest.is_(None))
        .values(digest=hasher.code_digests(row.purpose, target, request_id, code)[0], user_id=user_id)
        .returning(OneTimeCode.id)
    )
    if written.first() is None:
        return
    values: dict[str, Any] = {"code": code, "minutes": MINUTES}
    # The name of an unverified account is untrusted and never used in e-mails.
    if holder is not None and holder.verified_at is not None and not row.subject:
        values["name"] = holder.name
    purpose = links.purpose_of(row.purpose)
    if target.kind == "email" and purpose is not None and user_id is not None:
        values["link"] = await links.make_link(tx, hasher.links_base, purpose, user_id, target)
    template = (_MAIL if target.kind == "email" else _SMS)[row.purpose]
    await send(tx, target, template, row.language, values, user_id, senders.URGENT)


async def _notify_registered_owner(tx: Tx, row: OneTimeCode, target: Target, holder: Any) -> None:
    """Notify the owner of an account, once, of a sign-up with their address; no code is created."""
    unmarked = update(OneTimeCode).where(OneTimeCode.id == row.id, OneTimeCode.digest.is_(None))
    marked = await tx.execute(unmarked.values(digest=secrets.token_hex(32)).returning(OneTimeCode.id))
    if marked.first() is not None:
        await send(tx, target, "already_registered", row.language, {"name": holder.name}, holder.id)


def _wanted(purpose: str, holder: Any) -> bool:
    if purpose in ("sign_in", "sign_up", "link"):  # a code to sign in also signs up
        return True
    if holder is None or holder.status not in SIGN_IN_STATUSES:
        return False
    return purpose == "reset_password" or holder.verified_at is None


async def _holder(tx: Tx, target: Target) -> Any:
    query = (
        select(User.id, User.name, User.status, Identifier.verified_at)
        .join(Identifier, Identifier.user_id == User.id)
        .where(Identifier.kind == target.kind, Identifier.value == target.value)
    )
    return (await tx.execute(query)).one_or_none()


async def send_warning(tx: Tx, hasher: OtpHasher, request_id: str) -> None:
    """Notify the verified owner of a target, at most once a day, of wrong codes."""
    row = (await tx.execute(select(OneTimeCode).where(OneTimeCode.id == request_id))).scalar_one_or_none()
    if row is None:
        return
    target = Target(row.kind, row.target)  # type: ignore[arg-type]
    holder = await _holder(tx, target)
    if (
        holder is None
        or holder.verified_at is None
        or not await attempts.mark_notified(tx, hasher.target_digest(target))
    ):
        return
    await notify(tx, target, "wrong_codes", row.language, {"name": holder.name}, holder.id)


async def _deliver(resources: Resources, task: tasks.ClaimedTask) -> None:
    async with resources[Database].transaction() as tx:
        await write_code(tx, resources[OtpHasher], task.payload["id"])


async def _warn(resources: Resources, task: tasks.ClaimedTask) -> None:
    async with resources[Database].transaction() as tx:
        await send_warning(tx, resources[OtpHasher], task.payload["id"])


DELIVER = tasks.register("auth.deliver_otp", _deliver, queue="mail")
WARN = tasks.register("auth.warn_wrong_codes", _warn, queue="mail")
