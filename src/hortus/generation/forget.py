"""Tell a vendor to forget a job, once its result is safe: not before, or a crash in between would lose it."""

from hortus import tasks
from hortus.core.db import Tx
from hortus.core.resources import Resources
from hortus.providers import Forgetful, Registry
from hortus.routing import Job


async def forget_later(tx: Tx, resources: Resources, job: Job | None) -> None:
    """Enqueue it in the transaction that ends the generation; nothing where the vendor keeps nothing."""
    if job is not None and isinstance(resources.get(Registry).get(job.provider), Forgetful):
        await tasks.enqueue(tx, FORGET, {"provider": job.provider, "handle": job.handle})


async def _forget(resources: Resources, task: tasks.Claimed) -> None:
    provider = resources.get(Registry).get(task.payload["provider"])
    if isinstance(provider, Forgetful):
        await provider.forget(task.payload["handle"])


FORGET = tasks.define("generation.forget_job", _forget, queue="maintenance", time_limit=60)
