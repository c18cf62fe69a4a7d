"""Second factors: set up, verify and disable. A wrong attempt must be committed, so functions that check a code return
an error instead of raising it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import pyotp
import structlog
from sqlalchemy import delete, func, insert, select, update

from hortus.auth.mfa import totp
from hortus.auth.mfa.challenges import count_attempt, use_challenge
from hortus.auth.mfa.errors import (
    BadChallenge,
    BadSecondFactor,
    SecondFactorBlocked,
    TotpActive,
    TotpNotActive,
)
from hortus.auth.tables import RecoveryCode, SecondFactorChallenge, TotpFactor
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.core.errors import Problem

log = structlog.get_logger()
ISSUER = "Hortus"
Keys = Sequence[bytes]
"""`settings.keys_for("second factors")`: encrypt with the first, decrypt with any."""
Method = Literal["totp", "recovery_code", "passkey"]
FREE_FAILURES, FIRST_DELAY, LONGEST_DELAY = 5, timedelta(seconds=30), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SecondFactorAttempt:
    """A code of an authenticator app, or a recovery code."""

    code: str | None = None
    recovery_code: str | None = None


@dataclass(frozen=True, slots=True)
class MfaStatus:
    """The second factor of a user."""

    active: bool
    confirmed_at: datetime | None
    recovery_codes_left: int


async def set_up_totp(tx: Tx, keys: Keys, user_id: str, account: str) -> tuple[str, str]:
    """Create a new secret and its `otpauth://` URI, active once confirmed; it replaces an unconfirmed one.

    Raises TotpActive.
    """
    secret = pyotp.random_base32()
    fresh = {
        "sealed": totp.encrypt(keys, user_id, secret),
        "created_at": clock.now(),
        "last_step": None,
        "failures": 0,
        "blocked_until": None,
    }
    values = tx.insert(TotpFactor)
    kept = await tx.execute(
        values.values(user_id=user_id, **fresh)
        .on_conflict_do_update(index_elements=["user_id"], set_=fresh, where=TotpFactor.confirmed_at.is_(None))
        .returning(TotpFactor.user_id)
    )
    if kept.first() is None:
        raise TotpActive
    return secret, totp.otpauth_uri(secret, account, ISSUER)


async def confirm_totp(tx: Tx, keys: Keys, user_id: str, code: str) -> list[str] | Problem:
    """Activate the pending authenticator app; returns the recovery codes, shown once, or the error."""
    refusal = await _try(tx, keys, user_id, SecondFactorAttempt(code=code), confirmed=False)
    if refusal is not None:
        return refusal
    return await new_recovery_codes(tx, keys, user_id)


async def verify_second_factor(tx: Tx, keys: Keys, user_id: str, attempt: SecondFactorAttempt) -> Problem | None:
    """Check a code of the active authenticator app, or consume a recovery code; returns None or the error.

    The code of a time step is valid once, also for concurrent requests. Raises SecondFactorBlocked.
    """
    return await _try(tx, keys, user_id, attempt, confirmed=True)


async def answer_challenge(tx: Tx, keys: Keys, challenge: str, attempt: SecondFactorAttempt) -> str | Problem:
    """The user whose sign-in is complete, or the error. Raises SecondFactorBlocked without counting the attempt."""
    taken = await count_attempt(tx, challenge)
    if taken is None:
        return BadChallenge()
    user_id, left = taken
    refusal = await verify_second_factor(tx, keys, user_id, attempt)
    if isinstance(refusal, BadSecondFactor):
        return BadSecondFactor(tries_left=left)
    if refusal is not None:  # disabled meanwhile, by another session
        return BadChallenge()
    return user_id if await use_challenge(tx, challenge) else BadChallenge()


async def _try(tx: Tx, keys: Keys, user_id: str, attempt: SecondFactorAttempt, *, confirmed: bool) -> Problem | None:
    now = clock.now()
    active = TotpFactor.confirmed_at.is_not(None) if confirmed else TotpFactor.confirmed_at.is_(None)
    # Counted as a failure first and reset on success: the row stays locked, so concurrent attempts are serialised.
    taken = await tx.execute(
        update(TotpFactor)
        .where(TotpFactor.user_id == user_id, active)
        .where(TotpFactor.blocked_until.is_(None) | (TotpFactor.blocked_until <= now))
        .values(failures=TotpFactor.failures + 1)
        .returning(TotpFactor.sealed, TotpFactor.failures)
    )
    row = taken.one_or_none()
    if row is None:
        return await _why_not(tx, user_id, confirmed=confirmed)
    valid = (
        await _use_code(tx, keys, user_id, row.sealed, attempt.code, active)
        if attempt.code is not None
        else await _use_recovery_code(tx, keys, user_id, attempt.recovery_code or "")
    )
    if valid:
        return None
    if row.failures >= FREE_FAILURES:
        delay = min(FIRST_DELAY * 2 ** min(row.failures - FREE_FAILURES, 16), LONGEST_DELAY)
        await tx.execute(update(TotpFactor).where(TotpFactor.user_id == user_id).values(blocked_until=now + delay))
        log.warning("second_factor_failures", user_id=user_id, failures=row.failures, blocked_s=delay.seconds)
    return BadSecondFactor()


async def _why_not(tx: Tx, user_id: str, *, confirmed: bool) -> Problem:
    query = select(TotpFactor.confirmed_at, TotpFactor.blocked_until).where(TotpFactor.user_id == user_id)
    found = (await tx.execute(query)).one_or_none()
    if found is None or (confirmed and found.confirmed_at is None):
        return TotpNotActive()
    if not confirmed and found.confirmed_at is not None:
        return TotpActive()
    wait = max(1, int(((found.blocked_until or clock.now()) - clock.now()).total_seconds()) + 1)
    raise SecondFactorBlocked(headers={"Retry-After": str(wait)}, retry_after=wait)


async def _use_code(tx: Tx, keys: Keys, user_id: str, sealed: str, code: str, active: object) -> bool:
    secret = totp.decrypt(keys, user_id, sealed)
    if secret is None:
        log.error("totp_unreadable", user_id=user_id, reason="encrypted with another SECRET_KEY, or tampered with")
        return False
    now = clock.now()
    step = totp.step_of(secret, code, now)
    if step is None:
        return False
    used = await tx.execute(
        update(TotpFactor)
        .where(TotpFactor.user_id == user_id, active)  # type: ignore[arg-type]
        .where(TotpFactor.last_step.is_(None) | (TotpFactor.last_step < step))
        .values(
            last_step=step, failures=0, blocked_until=None, confirmed_at=func.coalesce(TotpFactor.confirmed_at, now)
        )
        .returning(TotpFactor.user_id)
    )
    return used.first() is not None


async def _use_recovery_code(tx: Tx, keys: Keys, user_id: str, code: str) -> bool:
    used = await tx.execute(
        update(RecoveryCode)
        .where(
            RecoveryCode.user_id == user_id,
            RecoveryCode.digest.in_(totp.digests_of_code(keys, user_id, code)),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=clock.now())
        .returning(RecoveryCode.id)
    )
    if used.first() is None:
        return False
    await tx.execute(update(TotpFactor).where(TotpFactor.user_id == user_id).values(failures=0, blocked_until=None))
    return True


async def new_recovery_codes(tx: Tx, keys: Keys, user_id: str) -> list[str]:
    """Ten fresh codes; the ones before stop working. Raises TotpNotActive."""
    locked = select(TotpFactor.confirmed_at).where(TotpFactor.user_id == user_id).with_for_update()
    if (await tx.execute(locked)).scalar_one_or_none() is None:
        raise TotpNotActive
    await tx.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    made, now = totp.recovery_codes(), clock.now()
    rows = [
        {
            "id": ids.new(),
            "user_id": user_id,
            "digest": totp.digests_of_code(keys, user_id, code)[0],
            "created_at": now,
        }
        for code in made
    ]
    await tx.execute(insert(RecoveryCode), rows)
    return made


async def disable_totp(tx: Tx, keys: Keys, user_id: str, attempt: SecondFactorAttempt) -> Problem | None:
    """Take the second factor away, with its recovery codes and waiting sign-ins: None when done, else the refusal."""
    refusal = await verify_second_factor(tx, keys, user_id, attempt)
    if refusal is None:
        await remove_factors(tx, user_id)
    return refusal


async def remove_factors(tx: Tx, user_id: str) -> None:
    """Delete every second factor of a user: on request, by an operator, or on erasure."""
    for table in (SecondFactorChallenge, RecoveryCode, TotpFactor):
        await tx.execute(delete(table).where(table.user_id == user_id))


async def methods_of(tx: Tx, user_id: str) -> list[Method]:
    """The methods with which the user can complete a sign-in; empty without an active second factor."""
    found = await status_of(tx, user_id)
    if not found.active:
        return []
    return ["totp", "recovery_code"] if found.recovery_codes_left else ["totp"]


async def status_of(tx: Tx, user_id: str) -> MfaStatus:
    """The state of the second factor, and the number of unused recovery codes."""
    confirmed = select(TotpFactor.confirmed_at).where(TotpFactor.user_id == user_id)
    at = (await tx.execute(confirmed)).scalar_one_or_none()
    if at is None:
        return MfaStatus(False, None, 0)
    left = select(func.count()).select_from(RecoveryCode)
    left = left.where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    return MfaStatus(True, at, (await tx.execute(left)).scalar_one())
