"""Wrong codes, counted per target and day. Guessing makes codes longer instead of locking the owner out.

After `long_codes_after` wrong codes the codes for that target have ten digits until the next day, which makes guessing
hopeless while the owner can still sign in. The owner is notified at most once in 24 hours. Passwords and links are not
locked by this.
"""

from datetime import date, timedelta

from sqlalchemy import case, delete, select, update

from hortus.auth.tables import WrongCodes
from hortus.core import clock
from hortus.core.db import Tx

TRIES = 5
MAX_FOREIGN_ATTEMPTS = 2
"""How many of the five attempts may come from another network address than the request for the code."""
RESEND_PAUSE = timedelta(seconds=60)
LONGEST_PAUSE = timedelta(minutes=10)
DIGITS, LONG_DIGITS = 6, 10


def today() -> date:
    """The day in UTC."""
    return clock.now().date()


def pause_after(wrong: int) -> timedelta:
    """How long to wait between two codes after so many wrong ones in a day: doubles with each code used up."""
    doublings = min(max(0, wrong // TRIES - 1), 10)
    longer: timedelta = RESEND_PAUSE * (1 << doublings)
    return min(longer, LONGEST_PAUSE)


def digits_after(wrong: int, long_after: int) -> int:
    """How many digits the next code has after so many wrong ones in a day."""
    return DIGITS if wrong < long_after else LONG_DIGITS


async def wrong_today(tx: Tx, target: str) -> int:
    """How many wrong codes came today for the target of that digest."""
    query = select(WrongCodes.wrong).where(WrongCodes.target == target, WrongCodes.day == today())
    return (await tx.execute(query)).scalar_one_or_none() or 0


async def count_wrong(tx: Tx, target: str) -> None:
    """Count one wrong code."""
    same = WrongCodes.day == today()
    await tx.execute(
        tx.insert(WrongCodes)
        .values(target=target, day=today(), wrong=1)
        .on_conflict_do_update(
            index_elements=["target"], set_={"day": today(), "wrong": case((same, WrongCodes.wrong + 1), else_=1)}
        )
    )


async def mark_notified(tx: Tx, target: str) -> bool:
    """Mark the owner of a target as notified; True at most once in 24 hours."""
    now = clock.now()
    marked = await tx.execute(
        update(WrongCodes)
        .where(
            WrongCodes.target == target,
            WrongCodes.notified_at.is_(None) | (WrongCodes.notified_at <= now - timedelta(hours=24)),
        )
        .values(notified_at=now)
        .returning(WrongCodes.target)
    )
    return marked.first() is not None


async def sweep_wrong_codes(tx: Tx, limit: int = 1000) -> int:
    """Delete up to `limit` counts of previous days; returns how many."""
    old = select(WrongCodes.target).where(WrongCodes.day < today() - timedelta(days=2)).limit(limit)
    gone = await tx.execute(delete(WrongCodes).where(WrongCodes.target.in_(old)).returning(WrongCodes.target))
    return len(gone.all())
