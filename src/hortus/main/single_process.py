"""Whether this process is alone on its database, so that a bus without Redis hears all there is to hear."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from hortus import tasks
from hortus.core.background import alongside
from hortus.core.db import Database
from hortus.core.events import Bus

log = structlog.get_logger()
LOOK_EVERY = 5.0


@asynccontextmanager
async def watched(bus: Bus, database: Database, worker: str, every: float = LOOK_EVERY) -> AsyncIterator[None]:
    """Keep `bus.single_process` true until the end of the block: no process but `worker` was seen within a minute."""
    async with alongside(_keep_looking(bus, database, worker, every)):
        yield


async def _keep_looking(bus: Bus, database: Database, worker: str, every: float) -> None:
    while True:
        try:
            async with database.snapshot() as tx:
                bus.single_process = {each.name for each in await tasks.processes(tx)} == {worker}
        except Exception:  # whoever follows will ask a database that is away, and be told
            log.info("company_unknown")
            bus.single_process = False
        await asyncio.sleep(every)
