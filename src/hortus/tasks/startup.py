"""Start-up of task processing: the engine of this process, the scheduler and the messages to workers elsewhere."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hortus.core import shared_settings
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.tasks.concurrency import slots_by_queue
from hortus.tasks.engines.embedded import EmbeddedEngine
from hortus.tasks.heartbeats import SERVER
from hortus.tasks.scheduler import Remind, Scheduler


def embedded_engine(resources: Resources, settings: Settings, *, work: bool, server: bool) -> EmbeddedEngine:
    """The engine of this process; without `work` it runs only tasks that the process itself claims."""
    return EmbeddedEngine(
        resources,
        slots=slots_by_queue(settings.worker_queues, settings.worker_concurrency) if work else {},
        lease=settings.lease_seconds,
        kind=SERVER if server else None,
        settings=shared_settings.shared_values(settings),
    )


@asynccontextmanager
async def run_engine(
    engine: EmbeddedEngine, scheduler: Scheduler, *, schedule: bool, grace: float
) -> AsyncIterator[None]:
    """Run tasks, and with `schedule` periodic ones, until the end of the block; running tasks get `grace` seconds.

    A scheduler that was started later is stopped too.
    """
    await engine.start()
    if schedule:
        await scheduler.start()
    try:
        yield
    finally:
        await scheduler.stop()
        await engine.stop(grace)


@asynccontextmanager
async def open_notifier(settings: Settings, resources: Resources) -> AsyncIterator[Remind | None]:
    """With a broker: notifies workers elsewhere of new tasks. None without one."""
    if not settings.celery_broker_url:
        yield None
        return
    from hortus.tasks.engines.celery_broker import Notifier, make_app  # noqa: PLC0415 - Celery is loaded where it is used

    notifier = Notifier(make_app(settings.celery_broker_url, {}))
    resources.add(notifier)
    notifier.start()
    try:
        yield notifier.remind
    finally:
        await notifier.stop()
