"""How many codes are sent: per target, per network address, per country. Counted in the sender's transaction."""

from datetime import timedelta

from sqlalchemy import case, delete, select

from hortus.accounts.codes.desk import Codes
from hortus.accounts.codes.errors import NotReached
from hortus.accounts.codes.tables import SendCount
from hortus.accounts.codes.targets import Target
from hortus.core import clock
from hortus.core.db import Tx
from hortus.core.errors import RateLimited

TARGET_WINDOW = timedelta(minutes=10)
COUNTRY_WINDOW = timedelta(hours=1)
KEPT = timedelta(hours=2)


def refused(name: str, seconds: float) -> RateLimited:
    """Too many, with how long to wait."""
    wait = max(1, int(seconds + 0.999))
    return RateLimited(headers={"Retry-After": str(wait)}, retry_after=wait, limit=name)


async def count_send(tx: Tx, codes: Codes, target: Target, address: str) -> None:
    """Count one message; raises RateLimited or NotReached, and then nothing of this transaction may commit.

    The rows are locked in one order by everybody: target, address, country.
    """
    code = target.calling_code
    if code in codes.rules.closed_countries:
        raise NotReached
    await _count(tx, f"target:{codes.target_digest(target)}", codes.rules.codes_per_target, TARGET_WINDOW)
    if not codes.limits_enabled:
        return
    await _count(tx, f"address:{codes.address_digest(address)}", codes.rules.codes_per_address, TARGET_WINDOW)
    if code:
        cap = codes.rules.cap_of(code)
        if cap == 0:
            raise NotReached
        await _count(tx, f"country:{code}", cap, COUNTRY_WINDOW)


async def _count(tx: Tx, key: str, most: int, window: timedelta) -> None:
    now = clock.now()
    over = SendCount.since <= now - window
    statement = (
        tx.insert(SendCount)
        .values(key=key, since=now, sent=1)
        .on_conflict_do_update(
            index_elements=["key"],
            set_={"since": case((over, now), else_=SendCount.since), "sent": case((over, 1), else_=SendCount.sent + 1)},
            where=over | (SendCount.sent < most),
        )
        .returning(SendCount.key)
    )
    if (await tx.execute(statement)).first() is None:
        since = (await tx.execute(select(SendCount.since).where(SendCount.key == key))).scalar_one()
        raise refused("codes_per_" + key.split(":", 1)[0], (since + window - now).total_seconds())


async def sweep(tx: Tx, limit: int = 1000) -> int:
    """Forget up to `limit` counts that no longer count; returns how many."""
    old = select(SendCount.key).where(SendCount.since < clock.now() - KEPT).limit(limit)
    gone = await tx.execute(delete(SendCount).where(SendCount.key.in_(old)).returning(SendCount.key))
    return len(gone.all())
