"""Health checks: whether this process serves, and the state of its dependencies.

Each check has a time limit and its result is cached for a moment, so that frequent probes do not load the dependencies.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy import text

import hortus
from hortus import tasks
from hortus.core import context, ids
from hortus.core.db import Database
from hortus.core.redis import Redis
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.core.web.deps import AllResources
from hortus.core.web.openapi import operation_id, public
from hortus.core.write_probe import find_outage
from hortus.ops.migrations import head
from hortus.storage import Storage

log = structlog.get_logger()
State = Literal["ok", "down", "outdated", "missing", "read_only", "full", "failing"]
WITHIN: Final = 2.0
"""Seconds for one check."""
CACHE_SECONDS: Final = {"database": 1.0, "migrations": 5.0, "redis": 1.0, "broker": 5.0, "storage": 10.0, "worker": 2.0}
NEEDED: Final = ("database", "migrations", "storage")
"""The process is not ready without these. Other dependencies are reported as degraded."""
FILES = "health"


@dataclass(slots=True)
class Readiness:
    """Whether this process accepts new requests; false once a server is about to stop."""

    on: bool = True


class Checks:
    """The state of each dependency of this process."""

    def __init__(self, resources: Resources) -> None:
        self._resources, self._settings = resources, resources[Settings]
        self._checks: dict[str, Callable[[], Awaitable[State]]] = {
            "database": self._database,
            "migrations": self._migrations,
            "storage": self._storage,
            "worker": self._worker,
        }
        if self._settings.redis_url:
            self._checks["redis"] = self._redis
        if self._settings.celery_broker_url:
            self._checks["broker"] = self._broker
        self._cached: dict[str, tuple[float, State]] = {}
        self._running: dict[str, asyncio.Task[State]] = {}
        self._blob = f"{FILES}/{ids.new()}"

    async def all(self) -> dict[str, State]:
        """Every dependency by name. Takes no longer than the limit of one check."""
        found = await asyncio.gather(*(self._of(name) for name in self._checks))
        return dict(zip(self._checks, found, strict=True))

    async def _of(self, name: str) -> State:
        until, state = self._cached.get(name, (0.0, None))
        if state is not None and time.monotonic() < until:
            return state
        running = self._running.get(name)
        if running is None or running.done():
            running = self._running[name] = asyncio.create_task(self._check(name))
        return await asyncio.shield(running)

    async def _check(self, name: str) -> State:
        mark = context.request_id.set("-")
        try:
            async with asyncio.timeout(WITHIN):
                state = await self._checks[name]()
        except Exception as error:  # any driver's any error
            log.warning("dependency_down", dependency=name, error=type(error).__name__)
            state = "down"
        finally:
            context.request_id.reset(mark)
        self._cached[name] = (time.monotonic() + CACHE_SECONDS[name], state)
        return state

    async def _database(self) -> State:
        found = await find_outage(self._resources[Database])
        if found is None:
            return "ok"
        log.warning("dependency_down", dependency="database", outage=found)
        return found if found in ("read_only", "full", "failing") else "down"

    async def _migrations(self) -> State:
        async with self._resources[Database].snapshot() as tx:
            found = (await tx.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
        # During an upgrade the old version serves on above a newer schema.
        return "ok" if found is not None and found >= head() else "outdated"

    async def _storage(self) -> State:
        storage = self._resources[Storage]
        await storage.put(self._blob, b"ok", "text/plain")
        await storage.delete(self._blob)
        return "ok"

    async def _worker(self) -> State:
        within = max(60.0, 2.0 * self._settings.lease_seconds)
        async with self._resources[Database].snapshot() as tx:
            alive = await tasks.workers(tx, within=within)
        return "ok" if any(worker.kind != "scheduler" for worker in alive) else "missing"

    async def _redis(self) -> State:
        return await self._resources[Redis].state()

    async def _broker(self) -> State:
        place = urlsplit(self._settings.celery_broker_url)
        port = place.port or {"amqp": 5672, "amqps": 5671}.get(place.scheme, 6379)
        _, writer = await asyncio.open_connection(place.hostname or "127.0.0.1", port, family=socket.AF_UNSPEC)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return "ok"


def router(readiness: Readiness) -> APIRouter:
    """`/`, `/health`, `/health/live`, `/health/ready`; they answer without the database."""
    made = APIRouter(tags=["health"], generate_unique_id_function=operation_id)
    open_to_all = public("reports only whether the service is up")

    @made.get("/", openapi_extra=open_to_all)
    async def root() -> dict[str, str]:
        """Name, version and the main paths."""
        return {"name": "Hortus", "version": hortus.__version__, "docs": "/docs", "health": "/health"}

    @made.get("/health/live", openapi_extra=open_to_all)
    async def live() -> dict[str, str]:
        """The process answers. Restart it when this fails, and only then."""
        return {"status": "ok"}

    @made.get("/health", openapi_extra=open_to_all, operation_id="health")
    @made.get("/health/ready", openapi_extra=open_to_all, operation_id="ready")
    async def ready(resources: AllResources) -> JSONResponse:
        """Readiness: 200 or 503, and the state of each dependency.

        503 while the process is about to stop (`stopping`), and while the database, its schema or the storage of
        files is not as it must be (`unavailable`): `down` cannot be reached, `read_only` accepts no writes, `full` has
        no room, `failing` has a broken disk, `outdated` waits for `hortus migrate`. Redis, the broker and the workers
        are reported, and listed in `degraded` when they are away: the service goes on without them, more slowly.
        """
        if not readiness.on:
            return JSONResponse({"status": "stopping"}, 503)
        states = await resources[Checks].all()
        lacking = [name for name, state in states.items() if state != "ok"]
        if any(name in NEEDED for name in lacking):
            return JSONResponse({"status": "unavailable", **states}, 503)
        return JSONResponse({"status": "ok", **states, **({"degraded": lacking} if lacking else {})})

    return made
