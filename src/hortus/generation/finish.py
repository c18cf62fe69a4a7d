"""Finish work in batches: what ends together shares one transaction, each with its own outcome."""

from collections.abc import Sequence
from dataclasses import dataclass

from hortus import files, tasks
from hortus.core.batch import Batch
from hortus.core.db import Database, Tx
from hortus.core.events import Bus
from hortus.core.resources import Resources
from hortus.generation import ending, forget
from hortus.generation.ending import Outcome
from hortus.generation.running import status_of
from hortus.routing import Job


@dataclass(frozen=True, slots=True)
class Finished:
    """Work that is done, under the lease of its task: what came of it, the files kept, and the vendor's job if any."""

    task: tasks.Claimed
    generation_id: str
    outcome: Outcome
    kept: Sequence[files.NewFile] = ()
    job: Job | None = None


class Finish(Batch[Finished, bool]):
    """`await finish(finished)` ends the generation and its task, durably; False where it had ended before.

    Raises LeaseLost when somebody else holds the task now: nothing of the outcome counts then. Where the commit of
    an earlier try took place without our knowing, that one counts.
    """

    def __init__(self, database: Database, resources: Resources) -> None:
        async def work(tx: Tx, items: Sequence[Finished]) -> list[bool | Exception]:
            return await finish_many(tx, resources, items)

        super().__init__(database, work)


async def finish_many(tx: Tx, resources: Resources, items: Sequence[Finished]) -> list[bool | Exception]:
    """The answer to each, or LeaseLost in its place."""
    held = await tasks.finish_many(tx, [item.task for item in items])
    outcomes = {item.generation_id: item.outcome for item in items if item.task.id in held}
    ended = await ending.end_many(tx, resources.get(Bus), outcomes)
    answers: list[bool | Exception] = []
    for item in items:
        if item.task.id not in held:
            answers.append(await _was_finished(tx, item))
            continue
        answers.append(item.generation_id in ended)
        if item.generation_id in ended and item.outcome.status == "succeeded":
            for new in item.kept:
                await files.insert_file(tx, new)
            await forget.forget_later(tx, resources, item.job)
    return answers


async def _was_finished(tx: Tx, item: Finished) -> bool | tasks.LeaseLost:
    """What an earlier try, whose commit was not known to us, came to under this very lease."""
    if not await tasks.ended_well(tx, item.task):
        return tasks.LeaseLost(item.task.name)
    return await status_of(tx, item.generation_id) == item.outcome.status
