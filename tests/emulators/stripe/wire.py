"""What goes over the wire: forms with brackets, errors, pages, expansion."""

import re
from typing import Any
from urllib.parse import parse_qsl

BRACKETS = re.compile(r"\[([^\]]*)\]")
DEEPEST = 4
"""Levels that may be expanded."""


class Problem(Exception):
    """An answer that is an error."""

    def __init__(
        self, status: int, code: str | None, message: str, *, kind: str = "invalid_request_error", **more: Any
    ) -> None:
        super().__init__(message)
        self.status = status
        said = {"type": kind, "code": code, "message": message, **more}
        self.body = {"error": {name: value for name, value in said.items() if value is not None}}


def missing(kind: str, thing_id: str, param: str = "id") -> Problem:
    """Nothing of that id."""
    return Problem(404, "resource_missing", f"No such {kind}: '{thing_id}'", param=param)


def declined(code: str = "generic_decline") -> Problem:
    """The bank said no. Its sentence names the card, which must not end up in anybody's log."""
    said = "Your card ending in 4242 was declined."
    return Problem(402, "card_declined", said, kind="card_error", decline_code=code)


def parse(encoded: str) -> dict[str, Any]:
    """`items[0][price]=p&metadata[a]=b` as nested mappings and lists; every leaf is a string."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True, strict_parsing=bool(encoded)):
        first, *rest = [name.split("[", 1)[0], *BRACKETS.findall(name)]
        place = found
        for step in rest:
            place = place.setdefault(first, {})
            first = step or str(len(place))
        place[first] = value
    return {name: _lists(value) for name, value in found.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _lists(each) for key, each in value.items()}


def flag(value: Any) -> bool:
    """`true` and `false`."""
    if value not in ("true", "false"):
        raise Problem(400, "parameter_invalid", f"Invalid boolean: {value}")
    return bool(value == "true")


def whole(given: dict[str, Any], name: str, *, least: int = 0) -> int:
    """A number that must be there."""
    text = str(given.get(name, ""))
    if not re.fullmatch(r"-?\d{1,12}", text) or int(text) < least:
        raise Problem(400, "parameter_invalid_integer", f"Invalid integer: {text}", param=name)
    return int(text)
