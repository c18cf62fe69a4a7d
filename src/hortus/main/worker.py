"""The Celery worker: `hortus worker`, or `celery -A hortus.main.worker worker` with Celery's own options.

Both read the same settings and differ in nothing else.
"""

import logging
import os
import platform
from functools import cache, partial
from typing import Any

from celery import Celery, signals

from hortus.core.configuration import BadSettings, UnsafeSettings
from hortus.core.settings import Settings
from hortus.core.telemetry import log
from hortus.main.bootstrap import open_app
from hortus.ops import configuration, preflight
from hortus.tasks.concurrency import slots_by_queue
from hortus.tasks.engines.celery_broker import PREFIX, make_app, set_tasks
from hortus.tasks.engines.celery_worker import CeleryWorker

app: Celery


def __getattr__(name: str) -> Any:
    """`app` is created on first access by Celery: importing this module opens and reads nothing."""
    if name == "app":
        return _app_from_environment()
    raise AttributeError(name)


@cache
def _app_from_environment() -> Celery:
    try:
        settings = configuration.read_server()
        configuration.read(settings)
        preflight.check(settings, "worker")
    except (BadSettings, UnsafeSettings, preflight.NotStarted) as error:
        raise SystemExit(f"Not started. {error}") from None
    if not settings.celery_broker_url:
        raise SystemExit("Set CELERY_BROKER_URL, or run `hortus worker`, which works without a broker.")
    return build(settings)


def build(settings: Settings) -> Celery:
    """The application, ready to be started as this process's one worker. Raises ValueError for wrong settings."""
    slots = slots_by_queue(settings.worker_queues, settings.worker_concurrency)
    made = make_app(settings.celery_broker_url, slots)
    process = CeleryWorker(
        partial(open_app, settings, work=False, role="worker"),
        slots,
        lease=settings.lease_seconds,
        grace=settings.shutdown_grace_seconds,
        schedule=settings.worker_schedules,
    )
    set_tasks(made, process.handle, process.tick)

    def set_up_logs(**_: Any) -> None:
        log.configure(settings.log_level, settings.log_format)
        for chatty in (
            "celery.worker.strategy",
            "celery.app.trace",
        ):  # they log each message twice; `run_one` logs tasks
            logging.getLogger(chatty).setLevel(logging.WARNING)

    def begin(sender: Any, **_: Any) -> None:
        if "thread" not in str(sender.pool_cls):
            raise SystemExit("Hortus works in threads around one event loop; leave out -P.")
        set_up_logs()  # Celery does so later, and what is opened here logs already
        served = sender.app.amqp.queues.consume_from
        process.start([name.removeprefix(PREFIX) for name in served])

    signals.setup_logging.connect(set_up_logs, weak=False)
    signals.worker_init.connect(begin, weak=False)
    signals.worker_shutting_down.connect(lambda **_: process.begin_stop(), weak=False)
    signals.worker_shutdown.connect(lambda **_: process.stop(), weak=False)
    return made


def run(settings: Settings) -> int:
    """Work until SIGINT or SIGTERM; the exit code."""
    made = build(settings)
    worker = made.Worker(
        hostname=f"hortus-{os.getpid()}@{platform.node()}",
        queues=[PREFIX + name for name in slots_by_queue(settings.worker_queues, settings.worker_concurrency)],
        without_gossip=True,
        without_mingle=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)
