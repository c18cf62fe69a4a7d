"""The route class: strict JSON bodies of bounded size, and unambiguous queries."""

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
from hortus.core.web import json_body
from hortus.core.web.body_bounds import SMALLEST, Bounds, bounds_of

_WRITTEN = {
    "integer": (re.compile(r"-?[0-9]{1,19}"), "Must be an integer."),
    "boolean": (re.compile(r"true|false"), "Must be true or false."),
}
"""How scalars are written in a query; Pydantic would also read `1_0`, ` 5`, `5.0` and `yes`."""


class StrictRoute(APIRoute):
    """Parses JSON with `core.web.json_body` within the bounds of the body's model, and refuses ambiguous queries.

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
        return json_body.parse(await self.body(), self._bounds.values)


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
