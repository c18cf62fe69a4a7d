"""Background work of this package."""

from hortus import tasks
from hortus.core.db import Database
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.files.service import sweep_deleted
from hortus.storage import Storage


async def sweep(resources: Resources, _task: tasks.Claimed) -> None:
    """Remove what was deleted long enough ago."""
    while await sweep_deleted(resources.get(Database), resources.get(Storage), resources.get(Settings)):
        pass


SWEEP = tasks.every("files.sweep", sweep, 3600)
