"""Background work of this package."""

from hortus import tasks
from hortus.core.db import Database
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.files.cleanup import sweep_deleted, sweep_orphans
from hortus.storage import Storage


async def sweep(resources: Resources, _task: tasks.ClaimedTask) -> None:
    """Remove what was deleted long enough ago."""
    while await sweep_deleted(resources.get(Database), resources.get(Storage), resources.get(Settings)):
        pass


async def sweep_lost(resources: Resources, _task: tasks.ClaimedTask) -> None:
    """Remove blobs whose row never came."""
    await sweep_orphans(resources.get(Database), resources.get(Storage))


PERIODIC = (
    tasks.register_periodic("files.sweep", sweep, 3600),
    tasks.register_periodic("files.sweep_lost", sweep_lost, 24 * 3600),
)
