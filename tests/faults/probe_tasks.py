"""A worker or scheduler process with tasks for tests: `python probe_tasks.py worker|scheduler`.

Each start and end is written to a file. The effect of a task is a row of the database, inserted with its end.
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
    """Append one line; atomic among processes."""
    line = " ".join(str(word) for word in (*words, os.getpid(), time.time()))
    with Path(os.environ[NOTES]).open("a") as file:
        file.write(line + "\n")


async def probe(resources: Resources, task: tasks.ClaimedTask) -> None:
    """Sleep, then insert one effect, in the transaction that ends the task."""
    note("start", task.payload["n"], context.request_id.get())
    await asyncio.sleep(task.payload.get("seconds", 0))
    async with resources[Database].transaction() as tx:
        await tasks.enqueue(tx, EFFECT, {"n": task.payload["n"]}, delay=86400)
        await tasks.finish(tx, task)
    note("end", task.payload["n"])


async def nothing(_: Resources, __: tasks.ClaimedTask) -> None:
    """Handler of effects, which are enqueued for tomorrow and never run."""


PROBE = tasks.register("probe", probe, attempts=5)
VIDEO = tasks.register("probe.video", probe, queue="media", attempts=5)
EFFECT = tasks.register("probe.effect", nothing, queue="maintenance")

if __name__ == "__main__":
    from hortus.cli.commands import app

    app()
