"""Scheduled events of the sandbox: renew subscriptions, expire checkouts, delete old events."""

from datetime import timedelta

from hortus import tasks
from hortus.core import clock
from hortus.core.db import Database
from hortus.core.resources import Resources
from hortus.payments.sandbox import simulator, store

EVENT_RETENTION = timedelta(days=30)


async def run_due(resources: Resources, _task: tasks.ClaimedTask) -> None:
    """Process all due objects, each in a transaction of its own."""
    database, now = resources[Database], clock.now()
    for kind, happen in (("subscription", simulator.renew), ("checkout", simulator.close)):
        more = True
        while more:
            async with database.snapshot() as tx:
                due = await store.due(tx, kind, now)
            more = bool(due)
            for each in due:
                async with database.transaction() as tx:
                    await happen(tx, each)
    async with database.transaction() as tx:
        await store.delete_events(tx, now - EVENT_RETENTION)


PERIODIC = (tasks.register_periodic("sandbox.due", run_due, 60),)
