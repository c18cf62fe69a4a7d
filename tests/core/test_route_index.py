"""The index of routes answers as the routes themselves would, asked one after the other."""

import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match

from hortus.core.settings import Settings
from hortus.core.web.route_index import ALLOWED, RouteIndex
from hortus.main.app import create_app

APP: Any = create_app(Settings(data_dir=Path("unused"), secret_key="k" * 40)).app  # type: ignore[attr-defined]
INDEX: RouteIndex = APP.router.routes[0]
ROUTES: list[BaseRoute] = APP.router.routes[1:]


def found_by(routes: list[BaseRoute], method: str, path: str) -> Any:
    scope = {"type": "http", "method": method, "path": path, "root_path": ""}
    matches = (route.matches(scope) for route in routes)
    return next((child for match, child in matches if match is Match.FULL), None)


@pytest.mark.parametrize("route", [each for each in ROUTES if isinstance(each, APIRoute)], ids=lambda route: route.path)
def test_every_route_is_found_by_the_index_alone(route: APIRoute):
    path = re.sub(r"\{\w+\}", "0190-a", route.path)
    for method in route.methods:
        found = found_by([INDEX], method, path)
        assert found is not None
        assert found["route"] is route
        assert found == found_by(ROUTES, method, path)


@pytest.mark.parametrize("path", sorted({each.path for each in ROUTES if isinstance(each, APIRoute)}))
def test_a_wrong_method_is_told_every_right_one(path: str):
    spelled = re.sub(r"\{\w+\}", "0190-a", path)
    methods = ("GET", "POST", "PUT", "PATCH", "DELETE")
    right = {method for method in methods if found_by(ROUTES, method, spelled) is not None}
    for method in set(methods) - right:
        found = found_by([INDEX], method, spelled)
        assert found is not None
        assert found[ALLOWED] & set(methods) == right


async def test_a_route_of_any_kind_answers():
    said: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    async def send(message: Any) -> None:
        said.append(message)

    scope = {"type": "http", "method": "GET", "path": "/openapi.json", "root_path": "", "headers": [], "app": APP}
    match, found = INDEX.matches(scope)
    assert match is Match.FULL
    await INDEX.handle({**scope, **found}, receive, send)
    assert said[0]["status"] == 200


def test_what_is_nobodys_is_not_found():
    wrong = ("/api", "/api/", "/api/nothing", "/api/user/me/more", "/api/generations/a/b/c", "//", "/api//me")
    for method, path in product(("GET", "POST", "PUT", "OPTIONS"), wrong):
        assert found_by([INDEX], method, path) is None
        assert found_by(ROUTES, method, path) is None


def test_a_path_that_says_every_word_wins():
    first, second = (
        APIRoute(path, _nothing, methods=["GET"]) for path in ("/api/things/{thing_id}", "/api/things/mine")
    )
    assert found_by([RouteIndex([first, second])], "GET", "/api/things/mine")["route"] is second
    assert found_by([RouteIndex([first, second])], "GET", "/api/things/yours")["route"] is first


def test_only_requests_are_looked_for():
    assert INDEX.matches({"type": "lifespan"})[0] is Match.NONE


async def _nothing() -> None:
    return None
