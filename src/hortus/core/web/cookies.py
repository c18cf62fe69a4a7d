"""Cookies with HttpOnly and SameSite=Lax, and behind https Secure with the prefix `__Host-`."""

from starlette.requests import HTTPConnection

from hortus.core.settings import Settings
from hortus.core.web.deps import resources_of


def read(connection: HTTPConnection, name: str) -> str | None:
    """The value of the cookie that `put` set under this name."""
    return connection.cookies.get(_full(connection, name)) or None


def put(connection: HTTPConnection, name: str, value: str, seconds: int) -> None:
    """Set the cookie in this response (`core.web.edge` sends it). `value` has letters, digits, `-`, `_` and `.`."""
    parts = [f"{_full(connection, name)}={value}", "Path=/", f"Max-Age={seconds}", "HttpOnly", "SameSite=Lax"]
    if _https(connection):
        parts.append("Secure")
    state = connection.scope.setdefault("state", {})
    state["response_cookies"] = [*state.get("response_cookies", ()), "; ".join(parts)]


def drop(connection: HTTPConnection, name: str) -> None:
    """Delete the cookie."""
    put(connection, name, "", 0)


def add_header(connection: HTTPConnection, name: str, value: str) -> None:
    """Set a header of this response (`core.web.edge` sends it)."""
    state = connection.scope.setdefault("state", {})
    state["response_headers"] = {**state.get("response_headers", {}), name: value}


def _https(connection: HTTPConnection) -> bool:
    return resources_of(connection)[Settings].public_url.startswith("https:")


def _full(connection: HTTPConnection, name: str) -> str:
    return f"__Host-hortus_{name}" if _https(connection) else f"hortus_{name}"
