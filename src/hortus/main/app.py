"""The ASGI application."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

import hortus
from hortus import auth
from hortus.admin import Doctor
from hortus.core.db import Database
from hortus.core.events import Bus
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.core.web.docs_pages import add_docs
from hortus.core.web.edge import Edge
from hortus.core.web.openapi_schema import OpenApi
from hortus.core.web.problems import install_problems
from hortus.core.web.route_index import RouteIndex
from hortus.core.web.sse import Streams
from hortus.main import routes
from hortus.main.bootstrap import open_app
from hortus.ops import doctor, health, metrics
from hortus.ops.health import Readiness
from hortus.providers import Registry

JSON_BODY_BYTES = 1024 * 1024
UPLOAD_OVERHEAD = 64 * 1024
SENT_BY_BROWSERS = [
    "Authorization",
    "Cache-Control",  # EventSource polyfills, and reloads by fetch
    "Content-Type",
    "Hortus-Session",
    "Idempotency-Key",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "Last-Event-ID",
    "Pragma",
    "Range",
    "Traceparent",
    "Tracestate",
    "X-Request-ID",
    "X-Requested-With",  # axios and others
]
"""Request headers allowed by CORS: those that we read, and those that common clients add by themselves."""
READ_BY_BROWSERS = [
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Range",
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "X-Cache",
    "X-Request-ID",
]


def create_app(
    settings: Settings,
    *,
    work: bool = True,
    registry: Registry | None = None,
    readiness: Readiness | None = None,
    streams: Streams | None = None,
    on_open: Callable[[Resources], None] | None = None,
) -> ASGIApp:
    """The whole application behind its edge. With `work` the process also runs background tasks.

    `on_open` receives the opened resources before the first request.
    """
    settings.refuse_unsafe()
    open_streams = streams or Streams()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            open_app(settings, work=work, registry=registry) as resources,
            auth.enforce_stream_access(open_streams, resources[Database], resources[Bus]),
        ):
            resources.add(health.Checks(resources))
            resources.add(metrics.Metrics(resources))
            resources.add(openapi)
            resources.add(Doctor(partial(doctor.examine, settings)))
            app.state.resources = resources
            if on_open is not None:
                on_open(resources)
            yield

    app = _fastapi(lifespan)
    install_problems(app)
    for router in (*(api.router for api in routes.ALL), health.router(readiness or Readiness()), metrics.router):
        # Not by `include_router`, which would build each route again at the first request, and find it more slowly.
        app.router.routes.extend(router.routes)
    add_docs(app)
    openapi = OpenApi(app)
    app.router.routes.insert(0, RouteIndex(app.router.routes))
    _allow_browsers(app, settings.origins)
    return Edge(
        app,
        allowed_hosts=settings.hosts,
        https=settings.public_url.startswith("https:"),
        max_body=JSON_BODY_BYTES,
        max_upload=settings.max_upload_bytes + UPLOAD_OVERHEAD,
        streams=open_streams,
    )


def _fastapi(lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]) -> FastAPI:
    return FastAPI(
        title="Hortus",
        summary="Sell generative AI: text, images, talking photos, chat.",
        version=hortus.__version__,
        license_info={"name": "MIT", "identifier": "MIT"},
        lifespan=lifespan,
        redirect_slashes=False,
        openapi_url=None,  # `OpenApi` serves it
        docs_url=None,
        redoc_url=None,
    )


def _allow_browsers(app: FastAPI, origins: Sequence[str]) -> None:
    """Allow websites at `origins` to call the API (CORS)."""
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=SENT_BY_BROWSERS,
        expose_headers=READ_BY_BROWSERS,
        allow_credentials=True,
        max_age=600,
    )
