"""The edge between HTTP and the features: transactions, problems, idempotency, limits.

The edge commits: a handler takes `tx: WriteTx`, and the one commit happens before the
response is sent.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from enum import Enum
from functools import cache
from typing import Annotated, Any, TypeVar, cast

import structlog
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection

from hortus.core import addresses, context, errors, idempotency, invalid_input
from hortus.core.credentials import bears_credentials
from hortus.core.db import Database, Tx
from hortus.core.errors import Problem
from hortus.core.limits import Limiter, declare
from hortus.core.paging import MAX_LIMIT, Paging
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.core.strict_route import StrictRoute

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
) -> Paging:
    return Paging(limit, cursor)


PageOf = Annotated[Paging, Depends(_paging)]


async def _history(connection: HTTPConnection, paging: PageOf) -> AsyncIterator[Tx]:
    async with resources_of(connection).get(Database).history(paging.before()) as tx:
        yield tx


HistoryTx = Annotated[Tx, Depends(_history, scope="function")]
"""An open transaction that only reads a list of rows that are only ever added, in the order of their ids."""


def public(reason: str) -> dict[str, Any]:
    """Marks a route that needs nobody signed in, and says why: `openapi_extra=public("…")`."""
    return {"x-public": reason}


def open_to_keys(*scopes: str) -> dict[str, Any]:
    """Lets API keys with any of `scopes` use a route: `openapi_extra=open_to_keys("text")`. Without it none may."""
    return {"x-scopes": list(scopes)}


def event_stream(**events: dict[str, Any]) -> dict[str, Any]:
    """What the schema says of a 200 that is a stream of server-sent events: the JSON schema of each event's data."""
    return {
        "description": "Server-sent events",
        "content": {"text/event-stream": {"itemSchema": {"oneOf": [_event(*each) for each in events.items()]}}},
    }


def _event(name: str, data: dict[str, Any]) -> dict[str, Any]:
    properties = {
        "id": {"type": "string"},
        "event": {"const": name},
        "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": data},
    }
    return {"type": "object", "title": name, "required": ["event", "data"], "properties": properties}


def event_data(**fields: str) -> dict[str, Any]:
    """A JSON schema of the data of an event: its fields and their JSON types."""
    return {
        "type": "object",
        "required": list(fields),
        "properties": {name: {"type": kind} for name, kind in fields.items()},
    }


def shape_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a model that another route of the schema answers with."""
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def scopes_of(connection: HTTPConnection) -> Sequence[str]:
    """The scopes that open the route of this request to API keys; none when nothing does."""
    extra = getattr(connection.scope.get("route"), "openapi_extra", None) or {}
    return cast("Sequence[str]", extra.get("x-scopes", ()))


# Idempotency -----------------------------------------------------------------


class Once:
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
                return answered(idempotency.Answer(kept.status, body, replayed=True))
        made = await make()
        body = made.model_dump(mode="json")
        if claimed is not None:
            await idempotency.keep(tx, claimed, status, {"id": body["id"]} if bears_credentials(type(made)) else body)
        return JSONResponse(body, status)


async def no_resource(_kept: dict[str, Any]) -> None:
    """The `again` of an answer that names nothing which could be removed or taken away from its caller."""


def answered(answer: idempotency.Answer, **headers: str) -> JSONResponse:
    """An answer, marked where it was given before; `headers` are for one that was not."""
    shown = {"Idempotency-Replayed": "true"} if answer.replayed else headers
    return JSONResponse(answer.body, answer.status, headers=shown)


async def _once(
    request: Request,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")] = None,
) -> Once:
    secrets = resources_of(request).get(Settings).keys_for("idempotency keys")
    return Once(f"{request.method} {request.url.path}", idempotency_key, secrets)


OnceOnly = Annotated[Once, Depends(_once)]


# Rate limits -----------------------------------------------------------------


def address_of(connection: HTTPConnection) -> str:
    """The address of the caller: of whoever speaks to us, or of whom a trusted proxy speaks for."""
    peer = connection.client.host if connection.client else "unknown"
    proxies, forwarded = resources_of(connection).get(Settings).proxies, connection.headers.getlist("x-forwarded-for")
    if forwarded and not proxies:
        _say_once_that_nobody_is_trusted()
    return addresses.caller_of(peer, forwarded, proxies)


@cache
def _say_once_that_nobody_is_trusted() -> None:
    # Behind a proxy everybody would share its address, and so its limits: the operator must hear of it.
    log.warning("forwarded_address_ignored", hint="set TRUSTED_PROXIES to the address of your proxy, if there is one")


def network_of(connection: HTTPConnection) -> str:
    """Whom to count the caller as: their IPv4 address, or the /64 of their IPv6 address."""
    return addresses.network_of(address_of(connection))


def coarse_network_of(connection: HTTPConnection) -> str:
    """Roughly where the caller is, for records that outlive the session: the /24 or /48 of their address."""
    return addresses.coarse_network_of(address_of(connection))


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


# Problems --------------------------------------------------------------------


def problem_response(problem: Problem) -> JSONResponse:
    """RFC 9457. Nothing but the class's own words and `extra` reaches the caller."""
    body = {
        "type": f"/docs/errors#{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        "request_id": context.request_id.get(),
        **problem.extra,
    }
    return JSONResponse(body, problem.status, headers=problem.headers, media_type="application/problem+json")


async def _on_problem(_request: Request, error: Exception) -> JSONResponse:
    return problem_response(cast("Problem", error))


async def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    found = cast("RequestValidationError", error).errors()
    body_expected = any(item["loc"] and item["loc"][0] == "body" for item in found)
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    sent_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    known = content_type.endswith("json") or content_type == "multipart/form-data"
    if body_expected and sent_body and not known:
        return problem_response(errors.UnsupportedMediaType())
    return problem_response(errors.Invalid(errors=invalid_input.listed(found)))


CLIENT_LEFT = 499
"""Logged and counted for a caller who left while we read their body; nginx's own number. Nobody receives it."""
_BY_STATUS: dict[int, type[Problem]] = {
    400: errors.Invalid,
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    413: errors.PayloadTooLarge,
    415: errors.UnsupportedMediaType,
    503: errors.Unavailable,
}


async def _on_left(_request: Request, _error: Exception) -> Response:
    return Response(status_code=CLIENT_LEFT)


async def _on_http(request: Request, error: Exception) -> Response:
    raised = cast("HTTPException", error)
    if isinstance(raised.__cause__, ClientDisconnect):  # FastAPI says 400 to whatever goes wrong while a body is read
        return await _on_left(request, raised.__cause__)
    if isinstance(raised.__cause__, Problem):
        return problem_response(raised.__cause__)
    kind = _BY_STATUS.get(raised.status_code, errors.Invalid if raised.status_code < 500 else Problem)
    problem = kind()
    problem.headers = {**problem.headers, **(raised.headers or {})}
    return problem_response(problem)


async def _on_unexpected(_request: Request, _error: Exception) -> JSONResponse:
    return problem_response(Problem())  # the edge logs it: it is raised again after this answer


def install_problems(app: FastAPI) -> None:
    """Make every error of `app` a problem+json."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(ClientDisconnect, _on_left)
    app.add_exception_handler(Exception, _on_unexpected)


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "A problem the caller can act on",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}


def operation_id(route: APIRoute) -> str:
    """The name of a route in the schema: its own, or its function's."""
    return route.operation_id or route.name


def make_router(prefix: str, tag: str | None = None) -> APIRouter:
    """Routes under `prefix` whose schema says what every problem looks like. Only `main` mounts them."""
    tags: list[str | Enum] | None = [tag] if tag is not None else None
    return APIRouter(
        prefix=prefix,
        tags=tags,
        responses=PROBLEM_RESPONSES,
        generate_unique_id_function=operation_id,
        route_class=StrictRoute,
    )


class ProblemBody(BaseModel):
    """The shape of every error."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
