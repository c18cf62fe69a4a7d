"""Finds the route of a request by its path instead of asking each route in turn."""

from collections.abc import Iterable

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

ALLOWED = "hortus.allowed"


class RouteIndex(BaseRoute):
    """Stands before the routes it knows and answers for them; what it does not find is left to them.

    A path without parameters is found by itself. Among paths with parameters only those are asked that have as many
    parts and the same first ones, in the order they were given in. So a path that says every word wins over one that
    leaves a part open.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._exact: dict[tuple[str, str], Route] = {}
        self._at: dict[str, list[Route]] = {}
        self._open: dict[tuple[int, str], list[Route]] = {}
        for route in routes:
            if not isinstance(route, Route) or ":path}" in route.path or "{" in _shape(route.path)[1]:
                continue
            if "{" not in route.path:
                self._at.setdefault(route.path, []).append(route)
                for method in route.methods or ():
                    self._exact.setdefault((method, route.path), route)
            else:
                self._open.setdefault(_shape(route.path), []).append(route)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """The match of the route that is found, which stands in its scope as `route`.

        A path that has routes for other methods only is matched as well, with those in the scope.
        """
        if scope["type"] != "http":
            return Match.NONE, {}
        path: str = scope["path"]
        route = self._exact.get((scope["method"], path))
        if route is not None:
            match, found = route.matches(scope)
            return match, {"route": route, **found}
        others = list(self._at.get(path, ()))
        for route in self._open.get(_shape(path), ()):
            match, found = route.matches(scope)
            if match is Match.FULL:
                return match, {"route": route, **found}
            if match is Match.PARTIAL:
                others.append(route)
        if not others:
            return Match.NONE, {}
        return Match.FULL, {"route": others[0], ALLOWED: {method for each in others for method in each.methods or ()}}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the route that was found answer; 405 with every method of the path where none has the one asked for."""
        allowed: set[str] | None = scope.get(ALLOWED)
        if allowed is not None:
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(allowed))})
        await scope["route"].handle(scope, receive, send)


def _shape(path: str) -> tuple[int, str]:
    """How many parts a path has, and the first two, as `/api/admin/users/{id}` has four and `api/admin`."""
    parts = path.split("/")
    return len(parts), "/".join(parts[1:3])
