"""Every route knows who may call it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from hortus.auth.deps import authenticate
from hortus.core.settings import Settings
from hortus.main.app import create_app


def routes() -> Iterator[APIRoute]:
    app: Any = create_app(Settings(data_dir=Path("unused"), secret_key="k" * 40)).app  # type: ignore[attr-defined]
    waiting = list(app.routes)
    while waiting:
        route = waiting.pop()
        if isinstance(route, APIRoute):
            yield route
        else:
            waiting += getattr(getattr(route, "original_router", route), "routes", [])


def asks_who_calls(dependant: Any) -> bool:
    return dependant.call is authenticate or any(asks_who_calls(each) for each in dependant.dependencies)


ALL = sorted(routes(), key=lambda route: (route.path, sorted(route.methods)))


def test_there_are_routes():
    assert len(ALL) > 40


@pytest.mark.parametrize("route", ALL, ids=lambda route: f"{min(route.methods)} {route.path}")
def test_a_route_is_authorised_or_public_for_a_reason(route: APIRoute):
    reason = (route.openapi_extra or {}).get("x-public", "")
    assert asks_who_calls(route.dependant) != bool(reason)
    assert route.description, "say in a docstring what the route does"


def test_operation_ids_are_unique():
    app: Any = create_app(Settings(data_dir=Path("unused"), secret_key="k" * 40)).app  # type: ignore[attr-defined]
    ids = [operation["operationId"] for path in app.openapi()["paths"].values() for operation in path.values()]
    assert len(ids) > 40
    assert sorted(ids) == sorted(set(ids))
