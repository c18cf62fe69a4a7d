"""Small things that every object of Stripe's is read with."""

from datetime import UTC, datetime
from typing import Any

REFERENCE = "hortus_checkout"
"""The key of our order's id in the metadata of what we make at Stripe."""
PAGE = 100
"""The most that Stripe lists at once."""


def id_of(given: Any) -> str | None:
    """The id behind a field that holds an id, the whole object, or nothing."""
    if given is None or isinstance(given, str):
        return given
    return str(given.id)


def sure_id(given: Any) -> str:
    """The same for a field that always holds something."""
    found = id_of(given)
    if found is None:
        raise ValueError("an id is missing")
    return found


def moment(seconds: int) -> datetime:
    """A time of theirs."""
    return datetime.fromtimestamp(seconds, UTC)


def reference_of(thing: Any) -> str | None:
    """Our order's id, where we wrote it."""
    return said.to_dict().get(REFERENCE) if (said := thing.metadata) is not None else None
