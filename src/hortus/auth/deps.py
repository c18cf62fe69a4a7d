"""FastAPI dependencies that authenticate the caller. They run before the transaction of the handler opens."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from hortus.accounts import Principal, PrincipalCache, principal_of
from hortus.auth import api_keys, session_cookies
from hortus.auth.access_tokens import AccessTokens
from hortus.auth.mfa.errors import SecondFactorRequired
from hortus.auth.step_up import require_recent_authentication
from hortus.core import rate_limits
from hortus.core.db import Database
from hortus.core.errors import Forbidden, Problem, Unauthenticated
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.core.web.deps import client_ip_of, hit_limit, resources_of, scopes_of

KEY_LIMIT = "600/minute"
rate_limits.declare("api_key")
"""The rate limit of one API key over all routes; `RATE_LIMIT_API_KEY` overrides it."""


async def authenticate(connection: HTTPConnection) -> Principal:
    """The caller, by access token or API key; raises Unauthenticated. Makes at most one query.

    An API key is accepted only if the route is open to keys (`open_to_keys`) and the key has one of its scopes.
    """
    token = _token_of(connection)
    resources = resources_of(connection)
    if token.startswith(api_keys.MARK):
        return await _by_key(connection, resources, token)
    claims = resources[AccessTokens].verify(token)

    async def read() -> Principal:
        return await principal_of(resources[Database], claims.user_id, claims.session_id)

    return await resources[PrincipalCache].of_session(claims.user_id, claims.session_id, read)


def _token_of(connection: HTTPConnection) -> str:
    """The bearer; without an `Authorization` header, the access token in the cookie of a browser."""
    header = connection.headers.get("authorization")
    if header is None:
        token = session_cookies.access_token(connection)
        if token is None or token.startswith(api_keys.MARK):
            raise Unauthenticated
        return token
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated
    return token.strip()


async def _by_key(connection: HTTPConnection, resources: Resources, secret: str) -> Principal:
    digests = api_keys.digests_of(resources[Settings], secret)  # a mistyped key costs no query

    async def read() -> Principal:
        return await api_keys.principal_by_key(resources[Database], digests)

    caller = await resources[PrincipalCache].of_secret(digests[0], read, api_keys.version_keys_of)
    address = client_ip_of(connection)
    api_keys.check(caller, scopes_of(connection), address)
    await hit_limit(connection, "api_key", KEY_LIMIT, caller.key_id or "")
    resources[api_keys.KeyUseRecorder].note(caller.key_id or "", address)
    return caller


async def caller_if_any(connection: HTTPConnection) -> Principal | None:
    """The signed-in caller of a public route, if any. API keys are ignored."""
    try:
        caller = await authenticate(connection)
    except Problem:
        return None
    return caller if caller.key_id is None else None


Caller = Annotated[Principal, Depends(authenticate)]
"""A signed-in user, or a caller whose API key has the scope of the route."""


async def _admin(connection: HTTPConnection, caller: Annotated[Principal, Depends(authenticate)]) -> Principal:
    if caller.role != "admin":
        raise Forbidden
    if not caller.two_factors and resources_of(connection)[Settings].require_admin_second_factor:
        raise SecondFactorRequired
    return caller


Admin = Annotated[Principal, Depends(_admin)]
"""An administrator, with two factors if `REQUIRE_ADMIN_SECOND_FACTOR` is set."""


async def _staff(connection: HTTPConnection, caller: Annotated[Principal, Depends(authenticate)]) -> Principal:
    return caller if caller.role == "support" else await _admin(connection, caller)


Staff = Annotated[Principal, Depends(_staff)]
"""Support or an administrator, for routes that only read."""


async def _recent(connection: HTTPConnection, caller: Annotated[Principal, Depends(authenticate)]) -> Principal:
    async with resources_of(connection)[Database].snapshot() as tx:
        await require_recent_authentication(tx, caller)
    return caller


RecentCaller = Annotated[Principal, Depends(_recent)]
"""A user who authenticated within the last ten minutes; 403 `reauthentication_required` otherwise."""


def limited_caller(name: str, default: str) -> Any:
    """A dependency that limits a route by its caller."""
    rate_limits.declare(name)

    async def check(connection: HTTPConnection, caller: Annotated[Principal, Depends(authenticate)]) -> None:
        await hit_limit(connection, name, default, caller.user_id)

    return Depends(check)


SECOND_FACTOR_LIMIT = [limited_caller("second_factor", "10/minute")]
"""Of the routes that try or change a second factor: one limit for authenticator apps and passkeys."""
