"""Run one claimed task to its end, whichever engine claimed it."""

import asyncio
import time

import structlog

from hortus.core import context
from hortus.core.db import Database
from hortus.core.resources import Resources
from hortus.core.telemetry import metrics, tracing
from hortus.tasks import queue
from hortus.tasks.kinds import Claimed, Dead, LeaseLost, Retry, registry

log = structlog.get_logger()


async def run_one(resources: Resources, task: Claimed) -> None:
    """Call the handler within its time limit, then finish, put back or bury the task.

    Never raises but for cancellation; a lost lease is logged and left to whoever holds it.
    """
    database = resources.get(Database)
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
                elif not await queue.ended_well(tx, task):
                    raise LeaseLost(task.name)
            elif delay is None:
                await queue.bury(tx, resources, task, error)
            else:
                await queue.put_back(tx, task, error=error, delay=delay)
        outcome = "done" if error is None else "dead" if delay is None else "retried"
    except LeaseLost:
        outcome = "lost"
        log.warning("lease_lost", task=task.name, id=task.id)
    except Exception:
        # The database is away or `on_dead` failed: the lease runs out and the task is tried again.
        outcome = "not_closed"
        log.exception("task_not_closed", task=task.name, id=task.id)
    finally:
        known = task.name if task.name in registry.kinds else "unknown"
        metrics.ran(known, outcome, time.monotonic() - started)
        context.request_id.reset(mark)


async def _call(resources: Resources, task: Claimed) -> tuple[str | None, float | None]:
    """What went wrong, and after how long to try again; (error, None) means never."""
    kind = registry.kinds.get(task.name)
    if kind is None:
        return f"nobody handles {task.name}", None
    if task.attempt > task.max_attempts:
        return "its process died too often", None
    try:
        async with asyncio.timeout(kind.time_limit):
            await kind.handler(resources, task)
    except LeaseLost:
        raise
    except Retry as wish:
        after = queue.backoff(kind, task.attempt) if wish.after is None else wish.after
        return (str(wish), None if task.is_last_attempt else after)
    except Dead as reason:
        return str(reason) or "gave up", None
    except TimeoutError:
        log.warning("task_timed_out", task=task.name, id=task.id, attempt=task.attempt)
        error = f"took longer than {kind.time_limit:g} s"
    except Exception as raised:
        log.exception("task_failed", task=task.name, id=task.id, attempt=task.attempt)
        error = f"{type(raised).__name__}: {raised}"[:2000]
    else:
        return None, None
    return error, None if task.is_last_attempt else queue.backoff(kind, task.attempt)
