"""Dependencies of handlers: resources, transactions, pages, idempotency keys and rate limits.

A handler takes `tx: WriteTx`; its transaction commits before the response is sent.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Annotated, Any, TypeVar, cast

import structlog
from fastapi import Depends, Header, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.requests import HTTPConnection

from hortus.core import errors, idempotency
from hortus.core.db import Database, Tx
from hortus.core.db.paging import MAX_LIMIT, PageRequest
from hortus.core.errors import Problem
from hortus.core.rate_limits import Limiter, declare
from hortus.core.resources import Resources
from hortus.core.security.credentials import bears_credentials
from hortus.core.settings import Settings
from hortus.core.web import client_ip

log = structlog.get_logger()
T = TypeVar("T")


# Resources and transactions --------------------------------------------------


def resources_of(connection: HTTPConnection) -> Resources:
    """The resources that this process opened at start-up."""
    return cast("Resources", connection.app.state.resources)


# Every dependency is a coroutine: FastAPI would run a plain function in a thread.
async def _resources(connection: HTTPConnection) -> Resources:
    return resources_of(connection)


AllResources = Annotated[Resources, Depends(_resources)]


def resource(kind: type[T]) -> Any:
    """A dependency on one resource: `bus: Annotated[Bus, resource(Bus)]`."""

    async def get(connection: HTTPConnection) -> T:
        return resources_of(connection)[kind]

    return Depends(get)


async def _write(connection: HTTPConnection) -> AsyncIterator[Tx]:
    async with resources_of(connection)[Database].transaction() as tx:
        yield tx


async def _read(connection: HTTPConnection) -> AsyncIterator[Tx]:
    async with resources_of(connection)[Database].snapshot() as tx:
        yield tx


WriteTx = Annotated[Tx, Depends(_write, scope="function")]
"""An open write transaction, committed before the response is sent."""

ReadTx = Annotated[Tx, Depends(_read, scope="function")]
"""An open read transaction."""


async def _paging(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 20, cursor: Annotated[str | None, Query(max_length=500)] = None
) -> PageRequest:
    return PageRequest(limit, cursor)


PageParams = Annotated[PageRequest, Depends(_paging)]


async def _replica(connection: HTTPConnection, paging: PageParams) -> AsyncIterator[Tx]:
    async with resources_of(connection)[Database].history(paging.before()) as tx:
        yield tx


ReplicaTx = Annotated[Tx, Depends(_replica, scope="function")]
"""An open read transaction for lists of append-only rows in the order of their ids; may use the replica."""


def scopes_of(connection: HTTPConnection) -> Sequence[str]:
    """The scopes that open the route of this request to API keys; none without `open_to_keys`."""
    extra = getattr(connection.scope.get("route"), "openapi_extra", None) or {}
    return cast("Sequence[str]", extra.get("x-scopes", ()))


# Idempotency -----------------------------------------------------------------


class IdempotencyKey:
    """The `Idempotency-Key` of this request, if it has one."""

    def __init__(self, route: str, key: str | None, settings: Settings) -> None:
        self.key = key
        self._route, self._settings = route, settings

    def claim(self, scope: str, *request: str | bytes | BaseModel) -> idempotency.Claim | None:
        """The claim for a request of `scope` (a user id, or the network of an anonymous caller)."""
        if self.key is None:
            return None
        parts = [part.model_dump_json() if isinstance(part, BaseModel) else part for part in request]
        secrets = self._settings.keys_for("idempotency keys")
        return idempotency.Claim(scope, self.key, idempotency.fingerprints(secrets, self._route, *parts))

    async def first_only(self, tx: Tx, scope: str, request: BaseModel | str | None, next_step: str) -> None:
        """Return for the first request with this key; raise AlreadyDone with `next_step` for every repetition.

        For routes whose response contains credentials. Call it before a one-time code is consumed (and `give_up` after
        a refusal that commits), so that a repetition gets 409 and not the error of a used code.
        """
        claimed = self.claim(scope, request or "")
        if claimed is not None:
            await idempotency.claim_once(tx, claimed, next_step)

    async def give_up(self, tx: Tx, scope: str, request: BaseModel | str | None) -> None:
        """Release the key: this request was refused in a transaction that commits."""
        claimed = self.claim(scope, request or "")
        if claimed is not None:
            await idempotency.release(tx, claimed)

    async def answer(
        self,
        tx: Tx,
        scope: str,
        request: BaseModel | str | bytes,
        make: Callable[[], Awaitable[BaseModel]],
        *,
        again: Callable[[dict[str, Any]], Awaitable[BaseModel | None]],
        status: int = 200,
    ) -> JSONResponse:
        """Run `make` for the first request, return the stored response for repetitions.

        For a repetition `again(stored response)` is called first: it raises NotFound if the caller may no longer read
        the resource, and returns None or a new response to send instead. Of a response with credentials only the `id`
        is stored, and `again` builds it anew.
        """
        claimed = self.claim(scope, request)
        if claimed is not None:
            stored = await idempotency.claim(tx, claimed)
            if stored is not None:
                fresh = await again(stored.body)
                body = fresh.model_dump(mode="json") if fresh is not None else stored.body
                return replayable_response(idempotency.IdempotentResponse(stored.status, body, replayed=True))
        created = await make()
        body = created.model_dump(mode="json")
        if claimed is not None:
            kept = {"id": body["id"]} if bears_credentials(type(created)) else body
            await idempotency.store(tx, claimed, status, kept)
        return JSONResponse(body, status)


async def no_resource(_stored: dict[str, Any]) -> None:
    """The `again` of a response without a resource that could be deleted or lose its reader."""


def replayable_response(answer: idempotency.IdempotentResponse, **headers: str) -> JSONResponse:
    """The response, with `Idempotency-Replayed` if it was stored; `headers` are for a new one."""
    shown = {"Idempotency-Replayed": "true"} if answer.replayed else headers
    return JSONResponse(answer.body, answer.status, headers=shown)


async def _idempotency_key(
    request: Request,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")] = None,
) -> IdempotencyKey:
    settings = resources_of(request)[Settings]
    return IdempotencyKey(f"{request.method} {request.url.path}", idempotency_key, settings)


IdempotencyHeader = Annotated[IdempotencyKey, Depends(_idempotency_key)]


# Rate limits -----------------------------------------------------------------


def client_ip_of(connection: HTTPConnection) -> str:
    """The IP address of the client, behind trusted proxies the forwarded one."""
    peer = connection.client.host if connection.client else "unknown"
    proxies, forwarded = resources_of(connection)[Settings].proxies, connection.headers.getlist("x-forwarded-for")
    if forwarded and not proxies:
        _warn_about_untrusted_proxy()
    return client_ip.client_ip(peer, forwarded, proxies)


@cache
def _warn_about_untrusted_proxy() -> None:
    # Behind a proxy all clients would share its address and its limits.
    log.warning("forwarded_address_ignored", hint="set TRUSTED_PROXIES to the address of your proxy, if there is one")


def network_of(connection: HTTPConnection) -> str:
    """The network by which the client is counted: its IPv4 address, or the /64 of its IPv6 address."""
    return client_ip.network_of(client_ip_of(connection))


def anonymised_network_of(connection: HTTPConnection) -> str:
    """The anonymised address of the client, for records that outlive the session: its /24 or /48."""
    return client_ip.anonymised_network(client_ip_of(connection))


async def hit_limit(connection: HTTPConnection, name: str, default: str, client: str, *, counts: bool = True) -> None:
    """Count this request against a limit, or only check it. The response has the headers of the tightest limit."""
    headers = await resources_of(connection)[Limiter].hit(name, default, client, counts=counts)
    state = connection.scope.setdefault("state", {})
    before = state.get("response_headers")
    if not before or (headers and int(headers["RateLimit-Remaining"]) <= int(before["RateLimit-Remaining"])):
        state["response_headers"] = headers


def rate_limit(name: str, default: str) -> Any:
    """A dependency that limits a public route by the network of the client."""
    declare(name)

    async def check(connection: HTTPConnection) -> None:
        await hit_limit(connection, name, default, network_of(connection))

    return Depends(check)


def rate_limit_failures(name: str, default: str) -> Any:
    """A dependency that limits the failures of a public route by the network of the client.

    Successes are not counted, since many users log in from one address; they are limited by account or session.
    """
    declare(name)

    async def check(connection: HTTPConnection) -> AsyncIterator[None]:
        async with counting_failures(connection, name, default, network_of(connection)):
            yield

    return Depends(check, scope="function")


@asynccontextmanager
async def counting_failures(connection: HTTPConnection, name: str, default: str, client: str) -> AsyncIterator[None]:
    """Refuse `client` once the limit is reached; count 401, 403 and 404 raised in the block as failures."""
    await hit_limit(connection, name, default, client, counts=False)
    try:
        yield
    except Problem as failure:
        if failure.status in _FAILURES:
            await count_failure(connection, name, default, client)
        raise


async def count_failure(connection: HTTPConnection, name: str, default: str, client: str) -> None:
    """Count one failure of `client`; for routes that do not raise it."""
    with suppress(errors.TooManyRequests):  # only the next request is refused
        await hit_limit(connection, name, default, client)


_FAILURES = (401, 403, 404)
"""A wrong secret or name. Malformed requests (422) and overload (429, 5xx) are not counted."""
