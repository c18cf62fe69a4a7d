"""Every part of a request has a largest size, from which the largest body of each route follows."""

from collections.abc import Iterator
from typing import Any

import pytest

from hortus.cli import openapi_docs
from hortus.core.web.body_bounds import SMALLEST, Unbounded, bounds_of
from hortus.core.web.strict_route import StrictRoute
from hortus.main import routes

ROUTES = [each for api in routes.ALL for each in api.router.routes]
SCHEMA = openapi_docs.schema()


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in SCHEMA["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_route_reads_its_request_strictly():
    assert [each.path for each in ROUTES if not isinstance(each, StrictRoute)] == []
    assert len(ROUTES) > 150


def test_every_body_is_bounded():
    unbounded = {}
    for each in ROUTES:
        try:
            bounds = each.bounds
        except Unbounded as error:
            unbounded[each.path] = str(error)
        else:
            assert bounds.size <= 432 * 1024, each.path  # the quote takes prompt, script and system
            assert bounds.values <= 500, each.path
    assert unbounded == {}


def test_every_parameter_is_bounded():
    unbounded = {}
    for name, operation in operations():
        for parameter in operation.get("parameters", []):
            given = parameter["schema"] | {"$defs": SCHEMA["components"]["schemas"]}
            try:
                bounds_of(given)
            except Unbounded as error:
                unbounded[f"{name} {parameter['in']} {parameter['name']}"] = str(error)
    assert unbounded == {}


@pytest.mark.parametrize("path", ["/api/auth/login", "/api/auth/register", "/api/auth/refresh", "/api/auth/verify-otp"])
def test_a_sign_in_takes_8_kb(path: str):
    route = next(each for each in ROUTES if each.path == path and "POST" in each.methods)
    assert route.bounds.size == SMALLEST == 8192


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "integer", "minimum": 0},
        {"type": "number", "maximum": 1},
        {"type": "array", "items": {"type": "boolean"}},
        {"type": "object", "additionalProperties": {"type": "boolean"}},
        {"type": "object", "properties": {"a": {"anyOf": [{"type": "null"}, {"type": "string"}]}}},
        {},
    ],
)
def test_what_has_no_largest_size_is_found(schema: dict[str, Any]):
    with pytest.raises(Unbounded):
        bounds_of(schema)
