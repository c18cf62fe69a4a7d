"""Routers, and what routes add to the OpenAPI schema: security, event streams, problems."""

from enum import Enum
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic import BaseModel

from hortus.core.web.strict_route import StrictRoute


def public(reason: str) -> dict[str, Any]:
    """Mark a route as public, with the reason: `openapi_extra=public("…")`."""
    return {"x-public": reason}


def open_to_keys(*scopes: str) -> dict[str, Any]:
    """Allow API keys with any of `scopes` on a route: `openapi_extra=open_to_keys("text")`. The default is none."""
    return {"x-scopes": list(scopes)}


def event_stream(**events: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI response of a stream of server-sent events, with the JSON schema of each event's data."""
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
    """A reference to the JSON schema of a model that another route returns."""
    return {"$ref": f"#/components/schemas/{model.__name__}"}


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "A problem the caller can act on",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}


def operation_id(route: APIRoute) -> str:
    """The operation id of a route: its own, or the name of its function."""
    return route.operation_id or route.name


def make_router(prefix: str, tag: str | None = None) -> APIRouter:
    """A router under `prefix` whose schema describes problem responses. Only `main` mounts it."""
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
