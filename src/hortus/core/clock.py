"""The current time, always UTC and aware, and its text form."""

import calendar
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

EPOCH = datetime.fromtimestamp(0, UTC)
"""A time in the past on every clock."""


now: Callable[[], datetime] = partial(datetime.now, UTC)
"""The current moment. Leases use the database's clock instead (`core.db.db_now`)."""


def whole_minute(moment: datetime) -> datetime:
    """The beginning of its minute, for what is cached by time."""
    return moment.replace(second=0, microsecond=0)


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with a `Z`, as all times in the API."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def add_months(moment: datetime, months: int) -> datetime:
    """The same day and time `months` later, or the last day of a month without that day."""
    years, month = divmod(moment.month - 1 + months, 12)
    year = moment.year + years
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)
