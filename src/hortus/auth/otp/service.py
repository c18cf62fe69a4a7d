"""Request and check one-time codes. Neither looks up an account, so that timing and answers reveal none."""

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
OTP_LIFETIME = timedelta(minutes=10)
_NO_DIGEST = "0" * 64


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
    """A verified target."""

    purpose: Purpose
    target: Target
    user_id: str | None
    """The user for whom the code was created, if any."""
    pending: str | None
    """The sign-up data, if it was sent from this network address."""


async def request_otp(tx: Tx, hasher: OtpHasher, request: OtpRequest) -> None:
    """Send a code after the commit. Raises TooManyRequests within the pause between codes or over a limit.

    The same for every target: a task decides whether to send the message. One of several concurrent calls succeeds.
    """
    now, target = clock.now(), request.target
    sign_up_data = pending.CONTESTED if await is_contested(tx, request) else request.pending
    pause = attempts.pause_after(await attempts.wrong_today(tx, hasher.target_digest(target)))
    fresh = {
        "id": ids.new(),
        "user_id": None,
        "digest": None,
        "tries": 0,
        "stray_tries": 0,
        "requester_digest": hasher.address_digest(request.address),
        "language": request.language,
        "pending": sign_up_data,  # the data of this sign-up applies to this code only
        "sent_at": now,
        "expires_at": now + OTP_LIFETIME,
        "used_at": None,
    }
    statement = (
        tx.insert(OneTimeCode)
        .values(purpose=request.purpose, kind=target.kind, target=target.value, subject=request.subject, **fresh)
        .on_conflict_do_update(
            index_elements=["purpose", "kind", "target", "subject"],
            set_=fresh,
            where=OneTimeCode.sent_at <= now - pause,
        )
        .returning(OneTimeCode.id)
    )
    request_id = (await tx.execute(statement)).scalar_one_or_none()
    if request_id is None:
        sent_at = (await tx.execute(select(OneTimeCode.sent_at).where(_slot(request)))).scalar_one()
        raise send_limits.rate_limited("resend_code", (sent_at + pause - now).total_seconds())
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
    """Consume the newest code if it matches; None otherwise. The caller must commit in both cases: the attempt counts.

    Raises TooManyRequests, unchecked, after twenty checked codes for the target within an hour. A code allows five
    attempts, two of them from another address than the request, so that guesses leave three to the owner. One
    conditional update counts the attempt and locks the row, so that one of several concurrent matches succeeds.
    """
    now, target = clock.now(), hasher.target_digest(request.target)
    requester = hasher.address_digest(request.address)
    same_requester = OneTimeCode.requester_digest == requester
    counted = (
        update(OneTimeCode)
        .where(
            _slot(request),
            OneTimeCode.used_at.is_(None),
            OneTimeCode.expires_at > now,
            OneTimeCode.tries < attempts.TRIES,
            or_(same_requester, OneTimeCode.stray_tries < attempts.MAX_FOREIGN_ATTEMPTS),
        )
        .values(
            tries=OneTimeCode.tries + 1,
            stray_tries=OneTimeCode.stray_tries + case((same_requester, 0), else_=1),
        )
        .returning(
            OneTimeCode.id,
            OneTimeCode.digest,
            OneTimeCode.user_id,
            OneTimeCode.requester_digest,
            OneTimeCode.pending,
            OneTimeCode.tries,
            OneTimeCode.stray_tries,
        )
    )
    row = (await tx.execute(counted)).one_or_none()
    if row is not None:
        await send_limits.count_attempt(tx, hasher, request.target)
    given = hasher.code_digests(request.purpose, request.target, row.id if row else "", code)
    stored = (row.digest if row else None) or _NO_DIGEST
    if not any(hmac.compare_digest(each, stored) for each in given):
        if row is not None:
            await attempts.count_wrong(tx, target)
            if row.tries == attempts.TRIES or (
                row.requester_digest != requester and row.stray_tries == attempts.MAX_FOREIGN_ATTEMPTS
            ):
                await enqueue(tx, WARN, {"id": row.id})
        return None
    assert row is not None  # noqa: S101 - a digest was compared
    await tx.execute(update(OneTimeCode).where(OneTimeCode.id == row.id).values(used_at=now, pending=None))
    return VerifiedOtp(
        request.purpose, request.target, row.user_id, row.pending if row.requester_digest == requester else None
    )


async def is_contested(tx: Tx, request: OtpRequest) -> bool:
    """Whether a sign-up differs from the one whose code is valid for the same target."""
    if request.pending is None:
        return False
    query = select(OneTimeCode.pending).where(
        _slot(request), OneTimeCode.used_at.is_(None), OneTimeCode.expires_at > clock.now()
    )
    before = (await tx.execute(query)).scalar_one_or_none()
    return before is not None and pending.differ(before, request.pending)


async def contest(tx: Tx, request: OtpRequest) -> None:
    """Drop the data of the sign-up whose code is valid now, if this one differs."""
    if await is_contested(tx, request):
        await tx.execute(update(OneTimeCode).where(_slot(request)).values(pending=pending.CONTESTED))


async def purpose_to_verify(tx: Tx, target: Target) -> Purpose:
    """The purpose of the newest code that verifies this address: `sign_up`, or `verify` if there is none."""
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
    """Invalidate all codes of a purpose for the target; the pause between codes stays."""
    await tx.execute(
        update(OneTimeCode)
        .where(OneTimeCode.purpose == purpose, OneTimeCode.kind == target.kind, OneTimeCode.target == target.value)
        .values(used_at=clock.now(), pending=None)
    )


async def sweep_codes(tx: Tx, limit: int = 1000) -> int:
    """Delete up to `limit` codes that expired a while ago; how many."""
    # The row also holds the pause until the next code, which grows to an hour.
    old = select(OneTimeCode.id).where(OneTimeCode.expires_at < clock.now() - attempts.LONGEST_PAUSE).limit(limit)
    gone = await tx.execute(delete(OneTimeCode).where(OneTimeCode.id.in_(old)).returning(OneTimeCode.id))
    return len(gone.all())
