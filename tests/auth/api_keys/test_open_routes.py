"""What keys may call, by the list of routes: work and reading, never what governs the account."""

import pytest
from tests.auth.api_keys.conftest import by_key, make_key
from tests.helpers.server import Hortus

from hortus.auth.api_keys.scopes import SCOPES

NEVER = ("/api/keys", "/api/auth/", "/api/admin", "/api/user/sessions", "/api/payment", "/api/subscription")
READ_ONLY = ("usage:read", "profile:read")


async def routes(hortus: Hortus) -> list[tuple[str, str, list[str]]]:
    """Method, path and scopes of every route of the schema that needs somebody."""
    schema = (await hortus.anonymous().get("/openapi.json")).json()
    return [
        (method.upper(), path, operation.get("x-scopes", []))
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if "x-public" not in operation
    ]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_scopes_are_known_and_every_one_opens_something(hortus: Hortus):
    found = await routes(hortus)
    named = {scope for _, _, scopes in found for scope in scopes}
    assert named == SCOPES - {"*"}
    for method, path, scopes in found:
        assert not (scopes and path.startswith(NEVER)), f"{method} {path} must not be open to keys"
        if set(scopes) & set(READ_ONLY):
            assert method == "GET", f"{method} {path}: a scope that only reads opens no change"
        if method != "GET" and path.startswith("/api/user/"):
            assert not scopes, f"{method} {path} governs the account and must not be open to keys"


async def test_a_key_with_every_scope_is_refused_wherever_no_scope_opens(hortus: Hortus):
    owner = await hortus.customer()
    client = by_key(hortus, (await make_key(owner))["secret"])
    closed = [(method, path) for method, path, scopes in await routes(hortus) if not scopes]
    assert {("POST", "/api/keys"), ("DELETE", "/api/user/sessions"), ("PUT", "/api/user/profile")} <= set(closed)
    for method, path in closed:
        filled = path.replace("{", "").replace("}", "")
        answer = await client.request(method, filled)
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing"), (method, path, answer.text)
        assert answer.json()["needs"] == []


async def test_an_administrators_key_does_not_administer(hortus: Hortus):
    admin = await hortus.staff("admin")
    client = by_key(hortus, (await make_key(admin))["secret"])
    assert (await client.get("/api/user/me")).json()["role"] == "admin"
    for method, path, _ in await routes(hortus):
        if path.startswith("/api/admin"):
            assert (await client.request(method, path)).status_code == 403
