"""HTTP endpoint for `/metrics` and `/health` of worker and scheduler processes."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog
import uvicorn
from fastapi import FastAPI

from hortus.core.background import in_background
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.core.web.edge import Edge
from hortus.core.web.problems import install_problems
from hortus.ops import health, metrics
from hortus.ops.health import Readiness

log = structlog.get_logger()


@asynccontextmanager
async def serve_worker_http(settings: Settings, resources: Resources) -> AsyncIterator[None]:
    """Serve the endpoint at `WORKER_METRICS_PORT` until the end of the block.

    A port that is in use is logged as an error; the process goes on without the endpoint.
    """
    try:
        listening = socket.create_server((settings.worker_metrics_host, settings.worker_metrics_port))
    except OSError as error:
        log.error("worker_metrics_not_served", port=settings.worker_metrics_port, error=str(error))
        yield
        return
    server = _Server(
        uvicorn.Config(
            make_page(resources),
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            lifespan="off",
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
    )
    serving = in_background(server.serve(sockets=[listening]))
    log.info("worker_metrics_served", port=listening.getsockname()[1])
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def make_page(resources: Resources) -> Edge:
    """The routes of `/metrics` and `/health` alone, behind the same edge as the API."""
    resources.add(health.Checks(resources))
    resources.add(metrics.Metrics(resources))
    app = FastAPI(title="Hortus", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.resources = resources
    install_problems(app)
    for router in (health.router(Readiness()), metrics.router):
        app.router.routes.extend(router.routes)
    return Edge(app)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signal handlers of the process in place."""
        yield
