"""Periodic tasks: remove the blobs of deleted files, and blobs without a row."""

from hortus import tasks
from hortus.core.db import Database
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.files.cleanup import sweep_deleted_files, sweep_orphaned_blobs
from hortus.storage import Storage


async def run_file_sweep(resources: Resources, _task: tasks.ClaimedTask) -> None:
    """Remove the blobs of every file whose retention time has passed."""
    while await sweep_deleted_files(resources[Database], resources[Storage], resources[Settings]):
        pass


async def run_blob_sweep(resources: Resources, _task: tasks.ClaimedTask) -> None:
    """Remove the blobs without a row."""
    await sweep_orphaned_blobs(resources[Database], resources[Storage])


PERIODIC = (
    tasks.register_periodic("files.sweep_deleted_files", run_file_sweep, 3600),
    tasks.register_periodic("files.sweep_orphaned_blobs", run_blob_sweep, 24 * 3600),
)
