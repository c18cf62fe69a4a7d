"""Read ids, times and our reference from Stripe's objects."""

from datetime import UTC, datetime
from typing import Any

REFERENCE = "hortus_checkout"
"""The metadata key that holds our checkout id."""
PAGE = 100
"""Stripe's maximum page size."""


def id_of(given: Any) -> str | None:
    """The id of a field that holds an id, an expanded object, or nothing."""
    if given is None or isinstance(given, str):
        return given
    return str(given.id)


def sure_id(given: Any) -> str:
    """The id of a required field."""
    found = id_of(given)
    if found is None:
        raise ValueError("an id is missing")
    return found


def moment(seconds: int) -> datetime:
    """A timestamp of Stripe as datetime."""
    return datetime.fromtimestamp(seconds, UTC)


def reference_of(thing: Any) -> str | None:
    """Our checkout id from the metadata, if set."""
    return said.to_dict().get(REFERENCE) if (said := thing.metadata) is not None else None
