"""Calendar of quotas: days and months in one time zone."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Final, Literal

Window = Literal["day", "month"]
WINDOWS: Final[tuple[Window, ...]] = ("day", "month")


@dataclass(frozen=True, slots=True)
class Periods:
    """The day and the month that contain a time, and the UTC times at which they end."""

    starts: dict[Window, date]
    ends: dict[Window, datetime]


@lru_cache(maxsize=64)
def periods_at(moment: datetime, zone: tzinfo) -> Periods:
    """The periods of `moment` in `zone`, cached: pass whole minutes.

    Handles days of 23 or 25 hours and zones that skip midnight.
    """
    day = moment.astimezone(zone).date()
    month = day.replace(day=1)
    next_month = (month + timedelta(days=31)).replace(day=1)
    return Periods(
        starts={"day": day, "month": month},
        ends={"day": _start_of(day + timedelta(days=1), zone), "month": _start_of(next_month, zone)},
    )


def days_before(moment: datetime, zone: tzinfo, days: int) -> list[tuple[date, datetime, datetime]]:
    """The last `days` days up to that of `moment`, oldest first, each with the times it begins and ends."""
    today = moment.astimezone(zone).date()
    starts = [today - timedelta(days=ago) for ago in reversed(range(days))]
    return [(day, _start_of(day, zone), _start_of(day + timedelta(days=1), zone)) for day in starts]


def _start_of(day: date, zone: tzinfo) -> datetime:
    # Python resolves a skipped midnight with the offset before the jump, which is the time of the jump.
    return datetime.combine(day, time(), zone).astimezone(UTC)
