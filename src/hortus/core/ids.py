"""Identifiers: UUIDv7 strings, so that newer rows sort after older ones."""

import re
from datetime import UTC, datetime

import uuid_utils

_FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

_LAST_MOMENT = 253_402_300_799_999  # the year 9999


def new() -> str:
    """A new id, greater than every id that this process made before."""
    return str(uuid_utils.uuid7())


def created_at_of(value: str) -> datetime | None:
    """The creation time in an id, to the millisecond; None for an id without one."""
    if value[14:15] != "7":
        return None
    milliseconds = int(value[:8] + value[9:13], 16)
    if milliseconds > _LAST_MOMENT:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def is_id(value: str) -> bool:
    """Whether `value` has the form of an id."""
    return _FORM.fullmatch(value) is not None


def lowest_at(moment: datetime) -> str:
    """The lowest id that could be made at `moment`, to find rows of a time by their ids.

    Lower ids were made earlier, by the clocks of the hosts.
    """
    digits = f"{max(0, int(moment.timestamp() * 1000)):012x}"
    return f"{digits[:8]}-{digits[8:]}-7000-8000-000000000000"
