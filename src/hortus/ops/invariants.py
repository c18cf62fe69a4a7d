"""What must hold, proved by the clock: a bounded part every minute, the whole ledger a few times a day.

Each outcome is kept for the metrics; whatever is broken is logged as an error, line by line.
"""

import time
from collections.abc import Awaitable, Callable

import structlog

from hortus import files, generation, ledger, tasks
from hortus.core import proofs
from hortus.core.db import Database
from hortus.core.proofs import Found
from hortus.core.resources import Resources
from hortus.storage import Storage

log = structlog.get_logger()
EVERY = 60.0
WHOLE_EVERY = 6 * 3600.0
Prove = Callable[[Resources, str], Awaitable[Found]]


async def _ledger(resources: Resources, after: str) -> Found:
    async with resources.get(Database).snapshot() as tx:
        return await ledger.prove_some(tx, after)


async def _whole_ledger(resources: Resources, _after: str) -> Found:
    async with resources.get(Database).long_snapshot() as tx:
        return Found(await ledger.prove(tx))


async def _holds(resources: Resources, _after: str) -> Found:
    async with resources.get(Database).snapshot() as tx:
        return await generation.prove_holds(tx)


async def _files(resources: Resources, after: str) -> Found:
    return await files.prove_some(resources.get(Database), resources.get(Storage), after)


PROOFS: dict[str, tuple[Prove, float]] = {
    "ledger": (_ledger, EVERY),
    "ledger_whole": (_whole_ledger, WHOLE_EVERY),
    "holds": (_holds, EVERY),
    "files": (_files, EVERY),
}
"""By name: the proof, and how often it is asked for, in seconds."""


async def prove(resources: Resources, name: str) -> Found:
    """Ask for one proof now, keep its outcome and log what is broken."""
    database = resources.get(Database)
    async with database.snapshot() as tx:
        after = await proofs.reached(tx, name)
    started = time.monotonic()
    found = await PROOFS[name][0](resources, after)
    ms = int((time.monotonic() - started) * 1000)
    async with database.transaction() as tx:
        await proofs.note(tx, name, found, ms)
    for line in found.broken:
        log.error("invariant_broken", proof=name, broken=line)
    return found


def _task_of(name: str) -> Callable[[Resources, tasks.ClaimedTask], Awaitable[None]]:
    async def run(resources: Resources, _task: tasks.ClaimedTask) -> None:
        await prove(resources, name)

    return run


PERIODIC = tuple(
    tasks.register_periodic(f"prove.{name}", _task_of(name), seconds, time_limit=1800)
    for name, (_, seconds) in PROOFS.items()
)
