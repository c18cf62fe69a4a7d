"""Finds the route of a request by its path instead of trying each route in turn."""

from collections.abc import Iterable

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

ALLOWED = "hortus.allowed"


class RouteIndex(BaseRoute):
    """Precedes the routes that it indexes and dispatches to them; other paths fall through to the routes themselves.

    A path without parameters is found by a dictionary. Routes with parameters are tried in their order if they have
    as many parts as the path and the same first two. So a literal path wins over one with a parameter.
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
        """The match of the route that is found; the scope holds it as `route`.

        A path with routes for other methods only is matched as well, with the allowed methods in the scope.
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
        """Handle the request by the matched route; 405 with the allowed methods if no route has the requested one."""
        allowed: set[str] | None = scope.get(ALLOWED)
        if allowed is not None:
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(allowed))})
        await scope["route"].handle(scope, receive, send)


def _shape(path: str) -> tuple[int, str]:
    """How many parts a path has, and the first two, as `/api/admin/users/{id}` has four and `api/admin`."""
    parts = path.split("/")
    return len(parts), "/".join(parts[1:3])
