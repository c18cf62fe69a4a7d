"""Delete a result from the vendor that made it, once it is stored here: earlier, a crash in between would lose it."""

from hortus import tasks
from hortus.core.db import Tx
from hortus.core.resources import Resources
from hortus.providers import Registry, ResultDeletion
from hortus.routing import Job


async def enqueue_deletion(tx: Tx, registry: Registry, job: Job | None) -> None:
    """Enqueue the deletion in the transaction that ends the generation, where the vendor stores results."""
    if job is not None and isinstance(registry.get(job.provider), ResultDeletion):
        await tasks.enqueue(tx, DELETE_RESULT, {"provider": job.provider, "handle": job.handle})


async def _delete_result(resources: Resources, task: tasks.ClaimedTask) -> None:
    provider = resources[Registry].get(task.payload["provider"])
    if isinstance(provider, ResultDeletion):
        await provider.delete_result(task.payload["handle"])


DELETE_RESULT = tasks.register("generation.delete_vendor_result", _delete_result, queue="maintenance", time_limit=60)
