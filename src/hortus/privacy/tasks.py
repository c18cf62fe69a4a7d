"""Periodic tasks of privacy."""

from hortus import tasks
from hortus.core.db import Database
from hortus.core.resources import Resources
from hortus.privacy.deletion import erase_due_accounts
from hortus.privacy.exports import sweep_exports, sweep_orphans
from hortus.privacy.retention import sweep_old
from hortus.privacy.settings import PrivacySettings
from hortus.storage import Storage


async def _sweep(resources: Resources, _task: tasks.ClaimedTask) -> None:
    while await sweep_exports(resources[Database], resources[Storage]):
        pass
    await sweep_orphans(resources[Database], resources[Storage])
    await sweep_old(resources[Database], resources[PrivacySettings])


PERIODIC = (
    tasks.register_periodic("privacy.erase_due", erase_due_accounts, 600),
    tasks.register_periodic("privacy.sweep", _sweep, 3600, time_limit=1800),
)
