"""Detects whether other processes share the database. If none does, the in-process bus is complete: no polling."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from hortus import tasks
from hortus.core.background import alongside
from hortus.core.db import Database
from hortus.core.events import Bus

log = structlog.get_logger()
CHECK_SECONDS = 5.0


@asynccontextmanager
async def watch_peers(bus: Bus, database: Database, worker: str, every: float = CHECK_SECONDS) -> AsyncIterator[None]:
    """Keep `bus.single_process` up to date: true while no process but `worker` was alive within a minute."""
    async with alongside(_poll_peers(bus, database, worker, every)):
        yield


async def _poll_peers(bus: Bus, database: Database, worker: str, every: float) -> None:
    while True:
        try:
            async with database.snapshot() as tx:
                bus.single_process = {each.name for each in await tasks.processes(tx)} == {worker}
        except Exception:  # an unreachable database fails the next request by itself
            log.info("peer_check_failed")
            bus.single_process = False
        await asyncio.sleep(every)
