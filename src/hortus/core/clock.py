"""Time: always UTC, always aware."""

from datetime import UTC, datetime


def now() -> datetime:
    """The current moment. Leases use the database's clock instead (`core.db.db_now`)."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with a `Z`, as every time on the wire."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
