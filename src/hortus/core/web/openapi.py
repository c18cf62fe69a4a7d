"""Routers, and what routes add to the OpenAPI schema: security, event streams, problems."""

from enum import Enum
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic import BaseModel

from hortus.core.web.strict_route import StrictRoute


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
