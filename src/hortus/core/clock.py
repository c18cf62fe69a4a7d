"""Time: always UTC, always aware."""

import calendar
from datetime import UTC, datetime

EPOCH = datetime.fromtimestamp(0, UTC)
"""Long ago: a moment that has come on every clock."""


def now() -> datetime:
    """The current moment. Leases use the database's clock instead (`core.db.db_now`)."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with a `Z`, as every time on the wire."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def months_later(moment: datetime, months: int) -> datetime:
    """The same day and time so many months later; the last day of a month that has no such day."""
    years, month = divmod(moment.month - 1 + months, 12)
    year = moment.year + years
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)
