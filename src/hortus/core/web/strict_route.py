"""The route class: strict JSON bodies of bounded size, and unambiguous queries.

JSON is read by RFC 8259 and I-JSON (RFC 7493): each document has one meaning or is refused. The standard library's
parser is lenient: of duplicate keys the last wins, `NaN` and UTF-16 are accepted, lone surrogates become text that no
database stores, and an array of 100,000 empty objects becomes 100,000 objects.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import Annotated, Any

from fastapi import Response, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo
from starlette.requests import Request

from hortus.core.errors import Invalid, PayloadTooLarge
from hortus.core.web.body_bounds import SMALLEST, Bounds, bounds_of

_WRITTEN = {
    "integer": (re.compile(r"-?[0-9]{1,19}"), "Must be an integer."),
    "boolean": (re.compile(r"true|false"), "Must be true or false."),
}
"""How scalars are written in a query; Pydantic would also read `1_0`, ` 5`, `5.0` and `yes`."""


class StrictRoute(APIRoute):
    """Parses JSON with `parse_json` within the bounds of the body's model, and refuses ambiguous queries.

    A body larger than its model allows is refused with 413 before it is read. Each query parameter may occur once,
    integers are digits and booleans `true` or `false`; unknown parameters are ignored.
    """

    @cached_property
    def bounds(self) -> Bounds:
        """The bounds of the body; the smallest for a route without one."""
        if self.body_field is None:
            return Bounds(SMALLEST, 0)
        return bounds_of(_schema_of(self.body_field.field_info))

    @cached_property
    def query(self) -> dict[str, str]:
        """The type of each scalar parameter by its name in the query."""
        found = {}
        for each in get_flat_params(self.dependant):
            if not isinstance(each.field_info, params.Query):
                continue
            schema = _schema_of(each.field_info)
            options = schema.get("anyOf", [schema])
            found[each.alias] = next((str(one.get("type")) for one in options if one.get("type") != "null"), "string")
        return {name: kind for name, kind in found.items() if kind != "array"}

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, with a request that is read strictly."""
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            if request.scope["query_string"]:
                check_query(request, self.query)
            if self.body_field is None:
                return await handle(request)
            return await handle(_StrictRequest(request, self.bounds))

        return handle_strictly


def _schema_of(field: FieldInfo) -> dict[str, Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[field.annotation, field])  # type: ignore[arg-type]
    return adapter.json_schema()


class _StrictRequest(Request):
    """A request that reads at most the bytes and values of its bounds."""

    def __init__(self, request: Request, bounds: Bounds) -> None:
        super().__init__(request.scope, request.receive)
        self._bounds = bounds

    async def body(self) -> bytes:
        """The whole body; raises PayloadTooLarge as soon as it exceeds the bounds."""
        if not hasattr(self, "_body"):
            most = self._bounds.size
            # The outer middleware has checked that this is a number.
            if int(self.headers.get("content-length", "0")) > most:
                raise PayloadTooLarge(max_bytes=most)
            read = bytearray()
            async for chunk in self.stream():
                read += chunk
                if len(read) > most:
                    raise PayloadTooLarge(max_bytes=most)
            self._body = bytes(read)
        return self._body

    async def json(self) -> Any:
        """The value of the body; raises Invalid."""
        return parse_json(await self.body(), self._bounds.values)


def check_query(request: Request, known: dict[str, str]) -> None:
    """Refuse a query with two values for one parameter, or with an ambiguous value."""
    given = request.query_params.multi_items()
    counted = Counter(name for name, _ in given)
    errors = [{"field": name, "detail": "Must be given once."} for name in known if counted[name] > 1]
    for name, value in given:
        rule = _WRITTEN.get(known.get(name, ""))
        if rule is not None and not rule[0].fullmatch(value):
            errors.append({"field": name, "detail": rule[1]})
    if errors:
        raise Invalid(errors=errors[:20])


# JSON ------------------------------------------------------------------------

MAX_BRACKETS = 25_000
"""Of `[` in one body, in texts and outside: the parser offers no hook for arrays, and each costs 300 ns."""
MAX_INTEGER_DIGITS = 19
"""As many as a signed 64-bit integer has."""
MAX_NUMBER_CHARACTERS = 40


class _Refused(Exception):
    """A document that the parser reads and this module does not accept."""


class _Limits:
    """Parser hooks that count fields and values and stop at `most`."""

    def __init__(self, most: int) -> None:
        self._left = most

    def _take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise _Refused("It has too many fields or values for this route.")

    def fields(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        self._take(1 + len(pairs))
        made = dict(pairs)
        if len(made) < len(pairs):
            seen: set[str] = set()
            twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
            raise _Refused(f"The field `{twice[:100]}` is there more than once.")
        return made

    def integer(self, text: str) -> int:
        self._take(1)
        if len(text.lstrip("-")) > MAX_INTEGER_DIGITS:
            raise _Refused("A number is too large: integers have at most 19 digits.")
        return int(text)

    def number(self, text: str) -> float:
        self._take(1)
        if len(text) > MAX_NUMBER_CHARACTERS or abs(made := float(text)) == float("inf"):
            raise _Refused("A number is too large or too long.")
        return made


def _constant(name: str) -> Any:
    raise _Refused(f"`{name}` is not a JSON value.")


def parse_json(body: bytes, most: int) -> Any:
    """The value of a JSON document in UTF-8 with at most `most` fields and values; raises Invalid.

    Refused with the position of the error: malformed JSON, duplicate keys, `NaN` and `Infinity`, integers of
    more than 64 bits, lone surrogates and null characters in texts, a byte order mark, other encodings.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise malformed(f"It is not UTF-8: the byte at offset {error.start} is wrong.") from None
    if text.startswith("\ufeff"):
        raise malformed("It begins with a byte order mark; send UTF-8 without one.")
    if body.count(b"[") > MAX_BRACKETS:
        raise malformed("It has too many arrays for this route.")
    limits = _Limits(most)
    decoder = json.JSONDecoder(
        object_pairs_hook=limits.fields,
        parse_int=limits.integer,
        parse_float=limits.number,
        parse_constant=_constant,
    )
    try:
        value = decoder.decode(text)
    except json.JSONDecodeError as error:
        where = f"at line {error.lineno}, column {error.colno}"
        raise malformed(f"{error.msg} {where}.", line=error.lineno, column=error.colno) from None
    except RecursionError:
        raise malformed("It is nested too deeply.") from None
    except _Refused as refused:
        raise malformed(str(refused)) from None
    if b"\\u" in body:  # only escapes can encode what UTF-8 and the parser accept
        _check_texts(value, most)
    return value


def malformed(detail: str, **place: int) -> Invalid:
    """The error of a body that cannot be read as JSON; `line` and `column` count from 1."""
    sentence = "The body is not valid JSON. Correct it as `errors` says and send the request again."
    return Invalid(sentence, errors=[{"field": "body", "detail": detail, **place}])


def _check_texts(root: Any, most: int) -> None:
    """Refuse null characters and lone surrogates, named by their field."""
    waiting: list[tuple[str, Any]] = [("", root)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str):
            _check_text(path, value)
        elif isinstance(value, dict):
            for name, each in value.items():
                _check_text(path, name)
                waiting.append((f"{path}.{name}" if path else name, each))
        elif isinstance(value, list):
            most -= len(value)
            if most < 0:
                raise malformed("It has too many fields or values for this route.")
            waiting += [(f"{path}.{index}" if path else str(index), each) for index, each in enumerate(value)]


def _check_text(path: str, text: str) -> None:
    wrong = None
    if "\x00" in text:
        wrong = "Must not contain null characters."
    elif not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            wrong = "Must be valid Unicode: it contains half of a surrogate pair."
    if wrong is not None:
        raise Invalid(errors=[{"field": path[:100] or "body", "detail": wrong}])
