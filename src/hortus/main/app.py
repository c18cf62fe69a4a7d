"""The ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from sqlalchemy import text
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

import hortus
from hortus.core.db import Database
from hortus.core.edge import Edge
from hortus.core.redis import Redis
from hortus.core.settings import Settings
from hortus.core.web import AllResources, ProblemBody, install_problems, public
from hortus.main import routes
from hortus.main.docs_pages import add_docs
from hortus.main.opening import opened
from hortus.providers import Registry

JSON_BODY_BYTES = 1024 * 1024
UPLOAD_OVERHEAD = 64 * 1024


@dataclass(slots=True)
class Duty:
    """Whether this process wants new requests; a server that is about to stop does not."""

    on: bool = True


def create_app(
    settings: Settings, *, work: bool = True, registry: Registry | None = None, duty: Duty | None = None
) -> ASGIApp:
    """The whole application behind its edge. With `work` the process also runs background tasks."""
    settings.refuse_unsafe()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(settings, work=work, registry=registry) as resources:
            app.state.resources = resources
            yield

    app = FastAPI(
        title="Hortus",
        summary="Sell generative AI: text, images, talking photos, chat.",
        version=hortus.__version__,
        license_info={"name": "MIT", "identifier": "MIT"},
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_id,
    )
    install_problems(app)
    for api in routes.ALL:
        app.include_router(api.router)
    add_docs(app)
    _add_health(app, settings, duty or Duty())
    app.openapi = lambda: _schema(app)  # type: ignore[method-assign]
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.origins,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[
            "Authorization",
            "Content-Type",
            "Hortus-Session",
            "Idempotency-Key",
            "Last-Event-ID",
            "X-Request-ID",
        ],
        expose_headers=["X-Request-ID", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"],
        allow_credentials=True,
        max_age=600,
    )
    return Edge(
        app,
        allowed_hosts=settings.hosts,
        https=settings.public_url.startswith("https:"),
        max_body=JSON_BODY_BYTES,
        max_upload=settings.max_upload_bytes + UPLOAD_OVERHEAD,
    )


def _operation_id(route: APIRoute) -> str:
    return route.operation_id or route.name


def _add_health(app: FastAPI, settings: Settings, duty: Duty) -> None:
    open_to_all = public("says only whether the service is up")

    @app.get("/", tags=["health"], openapi_extra=open_to_all)
    async def root() -> dict[str, str]:
        """Where to go."""
        return {"name": "Hortus", "version": hortus.__version__, "docs": "/docs", "health": "/health"}

    @app.get("/health/live", tags=["health"], openapi_extra=open_to_all)
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/health", tags=["health"], openapi_extra=open_to_all, operation_id="health")
    @app.get("/health/ready", tags=["health"], openapi_extra=open_to_all, operation_id="ready")
    async def ready(resources: AllResources) -> JSONResponse:
        """The process can serve and means to go on: its database answers, and it was not told to stop.

        Redis is named where it is used; the service goes on without.
        """
        if not duty.on:
            return JSONResponse({"status": "stopping"}, 503)
        try:
            async with resources.get(Database).snapshot() as tx:
                await tx.execute(text("SELECT 1"))
        except Exception:  # whatever the driver raises, the answer is the same
            return JSONResponse({"status": "unavailable", "database": "unavailable"}, 503)
        shown = {"status": "ok", "database": "ok"}
        if settings.redis_url:
            shown["redis"] = await resources.get(Redis).state()
        return JSONResponse(shown)


def _schema(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            license_info=app.license_info,
            routes=app.routes,
        )
        schema.setdefault("components", {}).setdefault("schemas", {})["Problem"] = ProblemBody.model_json_schema()
        app.openapi_schema = schema
    return app.openapi_schema
