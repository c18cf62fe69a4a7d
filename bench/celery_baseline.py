"""Baseline for Celery: a task that sleeps. `celery -A bench.celery_baseline worker`, broker in `BENCH_BROKER`."""

import os
import time

from celery import Celery

app = Celery("bare", broker=os.environ.get("BENCH_BROKER", "memory://"), set_as_current=False)
app.conf.update(task_ignore_result=True, task_acks_late=True, worker_hijack_root_logger=False)


@app.task(name="bare.sleep")
def sleep(seconds: float) -> None:
    """Sleep, as a call to a provider does from the worker's point of view."""
    time.sleep(seconds)
