"""Runs one claimed task: calls its handler, then finishes, reschedules or dead-letters it."""

import asyncio
import time

import structlog

from hortus.core import context
from hortus.core.db import Database
from hortus.core.resources import Resources
from hortus.core.telemetry import metrics, tracing
from hortus.tasks import queue
from hortus.tasks.registry import TASK_TYPES, ClaimedTask, LeaseLost, PermanentFailure, Retry

log = structlog.get_logger()


async def run_one(resources: Resources, task: ClaimedTask) -> None:
    """Call the handler within its time limit, then finish, reschedule or dead-letter the task.

    Raises only when cancelled. A lost lease is logged; the worker that holds it goes on.
    """
    database = resources[Database]
    mark = context.request_id.set(task.request_id)
    started, outcome = time.monotonic(), "handed_back"
    try:
        with tracing.span(f"task {task.name}", "consumer", {"hortus.task": task.name, "hortus.attempt": task.attempt}):
            error, delay = await _call(resources, task)
        if error is None and task.closed:
            outcome = "done"
            return  # the handler finished it in the transaction of its effects
        async with database.transaction() as tx:
            if error is None:
                if await queue.is_open(tx, task):
                    await queue.finish(tx, task)
                elif not await queue.was_closed(tx, task):
                    raise LeaseLost(task.name)
            elif delay is None:
                await queue.dead_letter(tx, resources, task, error)
            else:
                await queue.reschedule(tx, task, error=error, delay=delay)
        outcome = "done" if error is None else "dead" if delay is None else "retried"
    except LeaseLost:
        outcome = "lost"
        log.warning("lease_lost", task=task.name, id=task.id)
    except Exception:
        # The database is unreachable or `on_dead_letter` failed: the lease expires and the task is retried.
        outcome = "not_closed"
        log.exception("task_not_closed", task=task.name, id=task.id)
    finally:
        known = task.name if task.name in TASK_TYPES else "unknown"
        metrics.count_task(known, outcome, time.monotonic() - started)
        context.request_id.reset(mark)


async def _call(resources: Resources, task: ClaimedTask) -> tuple[str | None, float | None]:
    """The error and the delay before the next attempt; (None, None) for success, (error, None) for a final failure."""
    task_type = TASK_TYPES.get(task.name)
    if task_type is None:
        return f"no handler is registered for {task.name}", None
    if task.attempt > task.max_attempts:
        return "its worker died in every attempt", None
    try:
        async with asyncio.timeout(task_type.time_limit):
            await task_type.handler(resources, task)
    except LeaseLost:
        raise
    except Retry as retry:
        after = queue.backoff(task_type, task.attempt) if retry.after is None else retry.after
        return (str(retry), None if task.is_last_attempt else after)
    except PermanentFailure as reason:
        return str(reason) or "gave up", None
    except TimeoutError:
        log.warning("task_timed_out", task=task.name, id=task.id, attempt=task.attempt)
        error = f"took longer than {task_type.time_limit:g} s"
    except Exception as raised:
        log.exception("task_failed", task=task.name, id=task.id, attempt=task.attempt)
        error = f"{type(raised).__name__}: {raised}"[:2000]
    else:
        return None, None
    return error, None if task.is_last_attempt else queue.backoff(task_type, task.attempt)
