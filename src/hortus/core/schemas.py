"""The base class of request bodies, and field types shared by requests and responses."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    Strict,
    WithJsonSchema,
)

from hortus.core import ids, text
from hortus.core.clock import iso
from hortus.core.errors import NotFound


class Body(BaseModel):
    """A request body: unknown fields are refused, types are not converted (`"1"`, `1.0` and `true` are not integers).

    `core.web.strict_route` parses it: no duplicate keys, no null characters, no invalid Unicode. Each field has a
    maximum size, from which `core.web.body_bounds` computes the maximum size of the body.
    """

    model_config = ConfigDict(extra="forbid", strict=True, str_strip_whitespace=True)


def _known(value: str) -> str:
    if not ids.is_id(value):
        raise NotFound
    return value


Line, Lines = AfterValidator(text.line), AfterValidator(text.lines)
"""Human text in any script, of one line (a name, a title) or of several: `Annotated[str, StringConstraints(…), Line]`.
Control characters and direction marks are refused."""

Id = Annotated[str, AfterValidator(_known), WithJsonSchema({"type": "string", "format": "uuid", "maxLength": 36})]
"""An id in a path or body. A malformed id gets 404, like an unknown one."""

_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})"
)
_LOCAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?)?")
FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
"""Times that a request may contain: dates computed from them stay valid in every time zone."""


def _date_time(value: Any) -> Any:
    # Pydantic would also accept seconds since 1970, as numbers and as texts.
    if not isinstance(value, str) or not _DATE_TIME.fullmatch(value.strip()):
        raise ValueError("must be a date and time of ISO 8601 with an offset, such as 2026-12-01T09:30:00Z")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        moment = value.astimezone(UTC)
    except OverflowError:  # the year 0 or 10000 of UTC
        moment = None
    if moment is None or not FIRST <= moment <= LAST:
        raise ValueError("must be from the year 2000 to the year 9998, in UTC")
    return moment


def _with_offset(value: Any) -> Any:
    if not isinstance(value, str) or not (found := _LOCAL.fullmatch(value.strip())):
        return value
    return f"{found[0]}Z" if found[1] else f"{found[0]}T00:00:00Z"


DateTimeIn = Annotated[
    datetime,
    Strict(False),
    BeforeValidator(_date_time),
    AfterValidator(_in_utc),
    WithJsonSchema({"type": "string", "format": "date-time", "maxLength": 40}),
]
"""A time in a request: ISO 8601 with an offset, from the year 2000 to 9998; the value is in UTC."""

FilterTimeIn = Annotated[DateTimeIn, BeforeValidator(_with_offset)]
"""A time that filters a list: without an offset it is in UTC, and a date means its start."""


def _true(value: bool) -> bool:
    if not value:
        raise ValueError("must be true")
    return value


MustBeTrue = Annotated[bool, AfterValidator(_true), WithJsonSchema({"type": "boolean", "const": True})]
"""A consent: `true`, and no other value that equals it."""

Time = Annotated[datetime, PlainSerializer(iso, return_type=str, when_used="json")]
"""A time in a response: UTC, ISO 8601, ending in Z."""

MicroCredits = Annotated[int, PlainSerializer(str, return_type=str, when_used="json")]
"""Micro-credits in a response: a decimal string, so that no client rounds it."""
