"""Periodic invariant checks: a bounded part of the data every minute, the full ledger a few times a day.

Each result is stored for the metrics; each violation is logged as an error.
"""

import time
from collections.abc import Awaitable, Callable

import structlog

from hortus import files, generation, ledger, tasks
from hortus.core import invariant_checks
from hortus.core.db import Database
from hortus.core.invariant_checks import CheckResult
from hortus.core.resources import Resources
from hortus.storage import Storage

log = structlog.get_logger()
EVERY = 60.0
FULL_EVERY = 6 * 3600.0
Check = Callable[[Resources, str], Awaitable[CheckResult]]


async def _ledger(resources: Resources, after: str) -> CheckResult:
    async with resources[Database].snapshot() as tx:
        return await ledger.check_some_invariants(tx, after)


async def _full_ledger(resources: Resources, _after: str) -> CheckResult:
    async with resources[Database].long_snapshot() as tx:
        return CheckResult(await ledger.check_invariants(tx))


async def _holds(resources: Resources, _after: str) -> CheckResult:
    async with resources[Database].snapshot() as tx:
        return await generation.check_holds(tx)


async def _files(resources: Resources, after: str) -> CheckResult:
    return await files.check_some_blobs(resources[Database], resources[Storage], after)


CHECKS: dict[str, tuple[Check, float]] = {
    "ledger": (_ledger, EVERY),
    "ledger_full": (_full_ledger, FULL_EVERY),
    "holds": (_holds, EVERY),
    "files": (_files, EVERY),
}
"""By name: the check, and its interval in seconds."""


async def run_check(resources: Resources, name: str) -> CheckResult:
    """Run one check now, store its result and log each violation."""
    database = resources[Database]
    async with database.snapshot() as tx:
        after = await invariant_checks.cursor_of(tx, name)
    started = time.monotonic()
    result = await CHECKS[name][0](resources, after)
    ms = int((time.monotonic() - started) * 1000)
    async with database.transaction() as tx:
        await invariant_checks.store(tx, name, result, ms)
    for line in result.violations:
        log.error("invariant_violated", check=name, violation=line)
    return result


def _task_of(name: str) -> Callable[[Resources, tasks.ClaimedTask], Awaitable[None]]:
    async def run(resources: Resources, _task: tasks.ClaimedTask) -> None:
        await run_check(resources, name)

    return run


PERIODIC = tuple(
    tasks.register_periodic(f"invariants.{name}", _task_of(name), seconds, time_limit=1800)
    for name, (_, seconds) in CHECKS.items()
)
