"""Ask for a code, try a code. Neither looks whether anybody has an account: that is what makes them alike for all."""

import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import and_, case, delete, or_, select, update

from hortus.accounts import Target
from hortus.auth.otp import attempts, send_limits
from hortus.auth.otp import pending_sign_up as pending
from hortus.auth.otp.delivery import DELIVER, WARN
from hortus.auth.otp.hasher import OtpHasher
from hortus.auth.tables import OneTimeCode
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.senders import URGENT
from hortus.tasks import enqueue

Purpose = Literal["sign_in", "sign_up", "verify", "reset_password", "link"]
LIFE = timedelta(minutes=10)
_NOBODY = "0" * 64


@dataclass(frozen=True, slots=True)
class OtpRequest:
    """A request for a code. `address` is its network address, `subject` the user who adds an identifier."""

    purpose: Purpose
    target: Target
    address: str
    language: str
    subject: str = ""
    pending: str | None = None


@dataclass(frozen=True, slots=True)
class VerifiedOtp:
    """Somebody has shown that a target is theirs."""

    purpose: Purpose
    target: Target
    user_id: str | None
    """Whose account the code was written for, where it was written for one."""
    pending: str | None
    """What they said at sign-up, if this is the network address that said it."""


async def request_otp(tx: Tx, hasher: OtpHasher, request: OtpRequest) -> None:
    """Let a code be sent after the commit. Raises RateLimited within the pause or over a cap.

    Does the same for everybody: the message is written, or not, by the task. Of many calls at once one gets through.
    """
    now, target = clock.now(), request.target
    said = pending.CONTESTED if await is_contested(tx, request) else request.pending
    gap = attempts.gap_after(await attempts.wrong_today(tx, hasher.target_digest(target)))
    fresh = {
        "id": ids.new(),
        "user_id": None,
        "digest": None,
        "tries": 0,
        "stray_tries": 0,
        "asked_by": hasher.address_digest(request.address),
        "language": request.language,
        "pending": said,  # what was said with this code, and with no other
        "sent_at": now,
        "expires_at": now + LIFE,
        "used_at": None,
    }
    statement = (
        tx.insert(OneTimeCode)
        .values(purpose=request.purpose, kind=target.kind, target=target.value, subject=request.subject, **fresh)
        .on_conflict_do_update(
            index_elements=["purpose", "kind", "target", "subject"],
            set_=fresh,
            where=OneTimeCode.sent_at <= now - gap,
        )
        .returning(OneTimeCode.id)
    )
    request_id = (await tx.execute(statement)).scalar_one_or_none()
    if request_id is None:
        sent_at = (await tx.execute(select(OneTimeCode.sent_at).where(_slot(request)))).scalar_one()
        raise send_limits.rate_limited("resend_code", (sent_at + gap - now).total_seconds())
    await send_limits.count_send(tx, hasher, target, request.address)
    await enqueue(tx, DELIVER, {"id": request_id}, priority=URGENT)


def _slot(request: OtpRequest) -> Any:
    return and_(
        OneTimeCode.purpose == request.purpose,
        OneTimeCode.kind == request.target.kind,
        OneTimeCode.target == request.target.value,
        OneTimeCode.subject == request.subject,
    )


async def check_otp(tx: Tx, hasher: OtpHasher, request: OtpRequest, code: str) -> VerifiedOtp | None:
    """Use up the newest code if this is it; None if not. Whatever the answer, commit: the try was counted.

    Raises RateLimited, without checking, once twenty codes for the target were checked within an hour.
    Five tries in all, two of them from elsewhere than where the code was asked for, so that a flood of guesses
    leaves three to its owner. One conditional update counts the try and holds the row: of many right ones at once,
    one wins.
    """
    now, target = clock.now(), hasher.target_digest(request.target)
    asker = hasher.address_digest(request.address)
    at_home = OneTimeCode.asked_by == asker
    counted = (
        update(OneTimeCode)
        .where(
            _slot(request),
            OneTimeCode.used_at.is_(None),
            OneTimeCode.expires_at > now,
            OneTimeCode.tries < attempts.TRIES,
            or_(at_home, OneTimeCode.stray_tries < attempts.STRAY_TRIES),
        )
        .values(
            tries=OneTimeCode.tries + 1,
            stray_tries=OneTimeCode.stray_tries + case((at_home, 0), else_=1),
        )
        .returning(
            OneTimeCode.id,
            OneTimeCode.digest,
            OneTimeCode.user_id,
            OneTimeCode.asked_by,
            OneTimeCode.pending,
            OneTimeCode.tries,
            OneTimeCode.stray_tries,
        )
    )
    row = (await tx.execute(counted)).one_or_none()
    if row is not None:
        await send_limits.count_attempt(tx, hasher, request.target)
    given = hasher.code_digests(request.purpose, request.target, row.id if row else "", code)
    stored = (row.digest if row else None) or _NOBODY
    if not any(hmac.compare_digest(each, stored) for each in given):
        if row is not None:
            await attempts.count_wrong(tx, target)
            if row.tries == attempts.TRIES or (row.asked_by != asker and row.stray_tries == attempts.STRAY_TRIES):
                await enqueue(tx, WARN, {"id": row.id})
        return None
    assert row is not None  # noqa: S101 - a digest was compared
    await tx.execute(update(OneTimeCode).where(OneTimeCode.id == row.id).values(used_at=now, pending=None))
    return VerifiedOtp(request.purpose, request.target, row.user_id, row.pending if row.asked_by == asker else None)


async def is_contested(tx: Tx, request: OtpRequest) -> bool:
    """Whether a sign-up says something else than the one whose code is good for the same target now."""
    if request.pending is None:
        return False
    query = select(OneTimeCode.pending).where(
        _slot(request), OneTimeCode.used_at.is_(None), OneTimeCode.expires_at > clock.now()
    )
    before = (await tx.execute(query)).scalar_one_or_none()
    return before is not None and pending.differ(before, request.pending)


async def contest(tx: Tx, request: OtpRequest) -> None:
    """Drop what was said with the code that is good now, if this sign-up says something else."""
    if await is_contested(tx, request):
        await tx.execute(update(OneTimeCode).where(_slot(request)).values(pending=pending.CONTESTED))


async def purpose_to_verify(tx: Tx, target: Target) -> Purpose:
    """What the newest code that confirms this address was sent for: `sign_up`, or `verify` where there is none."""
    query = (
        select(OneTimeCode.purpose)
        .where(
            OneTimeCode.purpose.in_(("sign_up", "verify")),
            OneTimeCode.kind == target.kind,
            OneTimeCode.target == target.value,
            OneTimeCode.subject == "",
            OneTimeCode.used_at.is_(None),
        )
        .order_by(OneTimeCode.sent_at.desc())
        .limit(1)
    )
    return "sign_up" if (await tx.execute(query)).scalar_one_or_none() == "sign_up" else "verify"


async def cancel_otps(tx: Tx, purpose: Purpose, target: Target) -> None:
    """Let no code of that purpose be good for the target any more; the pause between codes stays."""
    await tx.execute(
        update(OneTimeCode)
        .where(OneTimeCode.purpose == purpose, OneTimeCode.kind == target.kind, OneTimeCode.target == target.value)
        .values(used_at=clock.now(), pending=None)
    )


async def sweep(tx: Tx, limit: int = 1000) -> int:
    """Forget up to `limit` codes that ran out a while ago; returns how many."""
    # The row also holds the pause until the next code, which grows to an hour.
    old = select(OneTimeCode.id).where(OneTimeCode.expires_at < clock.now() - attempts.LONGEST_GAP).limit(limit)
    gone = await tx.execute(delete(OneTimeCode).where(OneTimeCode.id.in_(old)).returning(OneTimeCode.id))
    return len(gone.all())
