"""Dependencies of handlers: resources, transactions, pages, idempotency keys and rate limits.

The edge commits: a handler takes `tx: WriteTx`, and the one commit happens before the
response is sent.
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
    """What this process opened at start-up."""
    return cast("Resources", connection.app.state.resources)


# Every dependency of ours is a coroutine: FastAPI would send a plain function to a thread and back.
async def _resources(connection: HTTPConnection) -> Resources:
    return resources_of(connection)


AllResources = Annotated[Resources, Depends(_resources)]


def resource(kind: type[T]) -> Any:
    """A dependency on one resource: `bus: Annotated[Bus, resource(Bus)]`."""

    async def get(connection: HTTPConnection) -> T:
        return resources_of(connection).get(kind)

    return Depends(get)


async def _write(connection: HTTPConnection) -> AsyncIterator[Tx]:
    async with resources_of(connection).get(Database).transaction() as tx:
        yield tx


async def _read(connection: HTTPConnection) -> AsyncIterator[Tx]:
    async with resources_of(connection).get(Database).snapshot() as tx:
        yield tx


WriteTx = Annotated[Tx, Depends(_write, scope="function")]
"""An open write transaction, committed before the response is sent."""

ReadTx = Annotated[Tx, Depends(_read, scope="function")]
"""An open transaction that only reads."""


async def _paging(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 20, cursor: Annotated[str | None, Query(max_length=500)] = None
) -> PageRequest:
    return PageRequest(limit, cursor)


PageParams = Annotated[PageRequest, Depends(_paging)]


async def _replica(connection: HTTPConnection, paging: PageParams) -> AsyncIterator[Tx]:
    async with resources_of(connection).get(Database).history(paging.before()) as tx:
        yield tx


ReplicaTx = Annotated[Tx, Depends(_replica, scope="function")]
"""An open transaction that only reads a list of rows that are only ever added, in the order of their ids."""


def scopes_of(connection: HTTPConnection) -> Sequence[str]:
    """The scopes that open the route of this request to API keys; none when nothing does."""
    extra = getattr(connection.scope.get("route"), "openapi_extra", None) or {}
    return cast("Sequence[str]", extra.get("x-scopes", ()))


# Idempotency -----------------------------------------------------------------


class IdempotencyKey:
    """The `Idempotency-Key` of this request, if it has one."""

    def __init__(self, route: str, key: str | None, secrets: Sequence[bytes]) -> None:
        self.key = key
        self._route, self._secrets = route, secrets

    def claim(self, scope: str, *asked: str | bytes | BaseModel) -> idempotency.Claim | None:
        """What to claim for a request of `scope` (a user id, or the network of an anonymous one)."""
        if self.key is None:
            return None
        parts = [part.model_dump_json() if isinstance(part, BaseModel) else part for part in asked]
        return idempotency.Claim(scope, self.key, idempotency.fingerprints(self._secrets, self._route, *parts))

    async def first_only(self, tx: Tx, scope: str, asked: BaseModel | str | None, next_step: str) -> None:
        """Return for the first request with this key; raise AlreadyDone with `next_step` for every repetition.

        For routes whose answer bears credentials. Call it before the proof is used up (`give_up` after a refusal that
        commits), so that a repetition gets 409 and not the refusal of a used code.
        """
        claimed = self.claim(scope, asked or "")
        if claimed is not None:
            await idempotency.claim_once(tx, claimed, next_step)

    async def give_up(self, tx: Tx, scope: str, asked: BaseModel | str | None) -> None:
        """Let the next request with this key be the first: this one was refused, in a transaction that commits."""
        claimed = self.claim(scope, asked or "")
        if claimed is not None:
            await idempotency.drop(tx, claimed)

    async def answer(
        self,
        tx: Tx,
        scope: str,
        asked: BaseModel | str | bytes,
        make: Callable[[], Awaitable[BaseModel]],
        *,
        again: Callable[[dict[str, Any]], Awaitable[BaseModel | None]],
        status: int = 200,
    ) -> JSONResponse:
        """Run `make` the first time, give the kept answer every other time.

        Before that `again(kept answer)` raises NotFound when the caller may not read any more what the answer names;
        it returns None, or a fresh answer to give instead. Of an answer that bears credentials only the `id` is kept,
        and `again` makes it anew.
        """
        claimed = self.claim(scope, asked)
        if claimed is not None:
            kept = await idempotency.claim(tx, claimed)
            if kept is not None:
                fresh = await again(kept.body)
                body = fresh.model_dump(mode="json") if fresh is not None else kept.body
                return replayable_response(idempotency.Answer(kept.status, body, replayed=True))
        made = await make()
        body = made.model_dump(mode="json")
        if claimed is not None:
            await idempotency.keep(tx, claimed, status, {"id": body["id"]} if bears_credentials(type(made)) else body)
        return JSONResponse(body, status)


async def no_resource(_kept: dict[str, Any]) -> None:
    """The `again` of an answer that names nothing which could be removed or taken away from its caller."""


def replayable_response(answer: idempotency.Answer, **headers: str) -> JSONResponse:
    """An answer, marked where it was given before; `headers` are for one that was not."""
    shown = {"Idempotency-Replayed": "true"} if answer.replayed else headers
    return JSONResponse(answer.body, answer.status, headers=shown)


async def _idempotency_key(
    request: Request,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")] = None,
) -> IdempotencyKey:
    secrets = resources_of(request).get(Settings).keys_for("idempotency keys")
    return IdempotencyKey(f"{request.method} {request.url.path}", idempotency_key, secrets)


IdempotencyHeader = Annotated[IdempotencyKey, Depends(_idempotency_key)]


# Rate limits -----------------------------------------------------------------


def client_ip_of(connection: HTTPConnection) -> str:
    """The address of the caller: of whoever speaks to us, or of whom a trusted proxy speaks for."""
    peer = connection.client.host if connection.client else "unknown"
    proxies, forwarded = resources_of(connection).get(Settings).proxies, connection.headers.getlist("x-forwarded-for")
    if forwarded and not proxies:
        _say_once_that_nobody_is_trusted()
    return client_ip.client_ip(peer, forwarded, proxies)


@cache
def _say_once_that_nobody_is_trusted() -> None:
    # Behind a proxy everybody would share its address, and so its limits: the operator must hear of it.
    log.warning("forwarded_address_ignored", hint="set TRUSTED_PROXIES to the address of your proxy, if there is one")


def network_of(connection: HTTPConnection) -> str:
    """Whom to count the caller as: their IPv4 address, or the /64 of their IPv6 address."""
    return client_ip.network_of(client_ip_of(connection))


def anonymised_network_of(connection: HTTPConnection) -> str:
    """Roughly where the caller is, for records that outlive the session: the /24 or /48 of their address."""
    return client_ip.anonymised_network(client_ip_of(connection))


async def hit_limit(connection: HTTPConnection, name: str, default: str, who: str, *, counts: bool = True) -> None:
    """Count this request against a limit, or only look. The edge sends the headers of the tightest limit."""
    headers = await resources_of(connection).get(Limiter).hit(name, default, who, counts=counts)
    state = connection.scope.setdefault("state", {})
    before = state.get("response_headers")
    if not before or (headers and int(headers["RateLimit-Remaining"]) <= int(before["RateLimit-Remaining"])):
        state["response_headers"] = headers


def limited(name: str, default: str) -> Any:
    """A dependency that limits a public route by the network of its caller."""
    declare(name)

    async def check(connection: HTTPConnection) -> None:
        await hit_limit(connection, name, default, network_of(connection))

    return Depends(check)


def limited_failures(name: str, default: str) -> Any:
    """A dependency that limits how often a public route may fail for the network of its caller.

    What succeeds is never counted: many people sign in from behind one address. Whoever counts failures bounds what
    succeeds in another way, by account or session.
    """
    declare(name)

    async def check(connection: HTTPConnection) -> AsyncIterator[None]:
        async with failures_limited(connection, name, default, network_of(connection)):
            yield

    return Depends(check, scope="function")


@asynccontextmanager
async def failures_limited(connection: HTTPConnection, name: str, default: str, who: str) -> AsyncIterator[None]:
    """Refuse `who` once the limit is full, and count what is raised inside as wrong: 401, 403 and 404."""
    await hit_limit(connection, name, default, who, counts=False)
    try:
        yield
    except Problem as failure:
        if failure.status in _WRONG:
            await count_failure(connection, name, default, who)
        raise


async def count_failure(connection: HTTPConnection, name: str, default: str, who: str) -> None:
    """Count one failure of `who`; for routes that answer it without raising."""
    with suppress(errors.RateLimited):  # the answer is decided; the next request is refused
        await hit_limit(connection, name, default, who)


_WRONG = (401, 403, 404)
"""A secret or a name was wrong. What is malformed (422) was not looked at; overload (429, 5xx) is not the caller's."""
