"""Caps on messages and on tries of codes: per target, per network address, per country, per day.

They are counted in the transaction that sends or tries, in the database, so that they hold across processes.
"""

from datetime import datetime, timedelta

from sqlalchemy import case, delete, select, update

from hortus.accounts import Target
from hortus.auth.otp.errors import CountryNotServed
from hortus.auth.otp.hasher import OtpHasher
from hortus.auth.tables import SendCount
from hortus.core import clock
from hortus.core.db import Tx
from hortus.core.errors import TooManyRequests

HOUR = timedelta(hours=1)
KEPT = timedelta(hours=25)


def rate_limited(name: str, seconds: float) -> TooManyRequests:
    """Too many, with how long to wait."""
    wait = max(1, int(seconds + 0.999))
    return TooManyRequests(headers={"Retry-After": str(wait)}, retry_after=wait, limit=name)


async def count_send(tx: Tx, hasher: OtpHasher, target: Target, address: str) -> None:
    """Count one code. Raises TooManyRequests or CountryNotServed; the transaction must then roll back.

    All purposes and all spellings of one mailbox share a count. The rows are always locked in the same order: target,
    address, country, total.
    """
    if target.calling_code in hasher.rules.closed_countries:
        raise CountryNotServed
    rules, person = hasher.rules, hasher.person_digests(target)[0]
    await _in_an_hour(tx, "codes_per_target", f"target:{person}", rules.codes_per_target)
    if not hasher.limits_enabled:
        return
    await _in_an_hour(tx, "codes_per_address", f"address:{hasher.address_digest(address)}", rules.codes_per_address)
    await _count_message(tx, hasher, target)


async def count_attempt(tx: Tx, hasher: OtpHasher, target: Target) -> None:
    """Count one attempt to check a code, for any purpose. Raises TooManyRequests above the limit."""
    key = f"tries:{hasher.target_digest(target)}"
    await _in_an_hour(tx, "code_tries_per_target", key, hasher.rules.code_tries_per_target)


async def may_notify(tx: Tx, hasher: OtpHasher, target: Target) -> bool:
    """Count one unrequested message; False if it must not be sent."""
    if target.calling_code in hasher.rules.closed_countries:
        return False
    try:
        async with tx.begin_nested():
            key = f"notices:{hasher.target_digest(target)}"
            await _in_an_hour(tx, "notices_per_target", key, hasher.rules.notices_per_target)
            if hasher.limits_enabled and target.kind == "mobile":
                await _count_message(tx, hasher, target)
    except (TooManyRequests, CountryNotServed):
        return False
    return True


async def _count_message(tx: Tx, hasher: OtpHasher, target: Target) -> None:
    code = target.calling_code
    if not code:
        await _in_a_day(tx, "mail_codes_per_day", "mail", hasher.rules.mail_codes_per_day)
        return
    cap = hasher.rules.cap_of(code)
    if cap == 0:
        raise CountryNotServed
    await _in_a_day(tx, "codes_per_country", f"country:{code}", cap)
    await _in_a_day(tx, "codes_per_day", "texts", hasher.rules.codes_per_day)


async def _in_an_hour(tx: Tx, name: str, key: str, most: int) -> None:
    """Count one event of `key`, of which any sixty minutes hold at most so many."""
    now = clock.now()
    first = tx.insert(SendCount).values(key=key, since=now, sent=0, moments=[])
    # A no-op update: it locks and reads the row in one statement.
    locked = first.on_conflict_do_update(index_elements=["key"], set_={"key": key}).returning(SendCount.moments)
    oldest = (now - HOUR).timestamp()
    moments = [moment for moment in (await tx.execute(locked)).scalar_one() or [] if moment > oldest]
    if len(moments) >= most:
        raise rate_limited(name, moments[-most] - oldest)
    counted = {"since": now, "sent": len(moments) + 1, "moments": [*moments, now.timestamp()]}
    await tx.execute(update(SendCount).where(SendCount.key == key).values(**counted))


async def _in_a_day(tx: Tx, name: str, key: str, most: int) -> None:
    """Count one event of `key`, of which a day in UTC holds at most so many."""
    now = clock.now()
    today = datetime(now.year, now.month, now.day, tzinfo=now.tzinfo)
    over = SendCount.since < today
    statement = (
        tx.insert(SendCount)
        .values(key=key, since=today, sent=1, moments=[])
        .on_conflict_do_update(
            index_elements=["key"],
            set_={"since": today, "sent": case((over, 1), else_=SendCount.sent + 1)},
            where=over | (SendCount.sent < most),
        )
        .returning(SendCount.key)
    )
    if (await tx.execute(statement)).first() is None:
        raise rate_limited(name, (today + timedelta(days=1) - now).total_seconds())


async def sweep_send_counts(tx: Tx, limit: int = 1000) -> int:
    """Delete up to `limit` expired counts; how many."""
    old = select(SendCount.key).where(SendCount.since < clock.now() - KEPT).limit(limit)
    gone = await tx.execute(delete(SendCount).where(SendCount.key.in_(old)).returning(SendCount.key))
    return len(gone.all())
