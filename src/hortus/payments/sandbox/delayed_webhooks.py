"""The sandbox's calendar: checkouts run out, subscriptions renew, old news is forgotten."""

from datetime import timedelta

from hortus import tasks
from hortus.core import clock
from hortus.core.db import Database
from hortus.core.resources import Resources
from hortus.payments.sandbox import simulator, store

NEWS_KEPT = timedelta(days=30)


async def turn(resources: Resources, _task: tasks.ClaimedTask) -> None:
    """Do all that is due, each in a transaction of its own."""
    database, now = resources.get(Database), clock.now()
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
        await store.forget(tx, now - NEWS_KEPT)


PERIODIC = (tasks.register_periodic("sandbox.turn", turn, 60),)
