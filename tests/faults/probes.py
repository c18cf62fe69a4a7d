"""A worker or scheduler process with tasks made for tests: `python probes.py worker|scheduler`.

Each start and each end is noted in a file; the effect of a task is a row of the database, written with its end.
"""

import asyncio
import os
import time
from pathlib import Path

from hortus import tasks
from hortus.core import context
from hortus.core.db import Database
from hortus.core.resources import Resources

NOTES = "PROBE_NOTES"


def note(*words: object) -> None:
    """One line, whole, whoever else writes."""
    line = " ".join(str(word) for word in (*words, os.getpid(), time.time()))
    with Path(os.environ[NOTES]).open("a") as file:
        file.write(line + "\n")


async def probe(resources: Resources, task: tasks.ClaimedTask) -> None:
    """Sleep, then leave one effect, in the transaction that ends the task."""
    note("start", task.payload["n"], context.request_id.get())
    await asyncio.sleep(task.payload.get("seconds", 0))
    async with resources.get(Database).transaction() as tx:
        await tasks.enqueue(tx, EFFECT, {"n": task.payload["n"]}, delay=86400)
        await tasks.finish(tx, task)
    note("end", task.payload["n"])


async def nothing(_: Resources, __: tasks.ClaimedTask) -> None:
    """Never run: what is enqueued for tomorrow is a mark."""


PROBE = tasks.register("probe", probe, attempts=5)
VIDEO = tasks.register("probe.video", probe, queue="media", attempts=5)
EFFECT = tasks.register("probe.effect", nothing, queue="maintenance")

if __name__ == "__main__":
    from hortus.cli.commands import app

    app()
