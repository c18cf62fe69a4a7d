"""Group commits of generations: calls that arrive together share one transaction, each with its own answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hortus import files, tasks
from hortus.core.db import Database, Tx
from hortus.core.db.batch import Batch
from hortus.core.errors import Problem
from hortus.core.events import Bus
from hortus.core.idempotency import Claim, IdempotentResponse, ReplayBatch
from hortus.core.settings import Settings
from hortus.generation import service, transitions, vendor_cleanup
from hortus.generation.errors import GenerationNotFound
from hortus.generation.serialize import generation_out
from hortus.generation.service import GenerationRequest
from hortus.generation.tables import Generation
from hortus.generation.transitions import Outcome
from hortus.providers import Registry
from hortus.routing import Job

TaskTypes = Mapping[str, tasks.TaskType]
"""The task that runs each kind of generation."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A request for work with the idempotency claim of its HTTP request, if any."""

    request: GenerationRequest
    claim: Claim | None


@dataclass(frozen=True, slots=True)
class StartedText:
    """A text that was accepted: its claimed task, to be run in this process; None for a repeated request."""

    generation_id: str
    task: tasks.ClaimedTask | None


@dataclass(frozen=True, slots=True)
class Finished:
    """Work that is done, under the lease of its task: the outcome, its stored files, and the vendor's job if any."""

    task: tasks.ClaimedTask
    generation_id: str
    outcome: Outcome
    outputs: Sequence[files.NewFile] = ()
    job: Job | None = None


class GenerationBatches:
    """The batches of this process. Each is awaited with one item and answers or raises once that is durable."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        bus: Bus,
        registry: Registry,
        task_types: TaskTypes,
        engine: tasks.EmbeddedEngine,
    ) -> None:
        async def start_text(tx: Tx, items: Sequence[Submission]) -> list[StartedText | Exception]:
            answers = await submit_many(tx, items, settings=settings, task_types=None)
            return await _start_texts(tx, items, answers, task_types["text"], engine)

        self.submit: Batch[Submission, IdempotentResponse] = Batch(
            database, partial(submit_many, settings=settings, task_types=task_types)
        )
        """Accepts work for the workers; the 202 answer."""
        self.start_text: Batch[Submission, StartedText] = Batch(database, start_text)
        """Accepts a text that this process runs itself, and claims its task."""
        self.mark_running: Batch[str, Generation | None] = Batch(database, transitions.mark_running_many)
        """Marks the generation of that id as running; None where it has ended."""
        self.finish: Batch[Finished, bool] = Batch(database, partial(finish_many, bus=bus, registry=registry))
        """Ends a generation and its task; False where it had ended before.

        Raises LeaseLost if another worker holds the task: the outcome is discarded. If an earlier attempt committed
        but its response was lost, that result stands.
        """


async def submit_many(
    tx: Tx, items: Sequence[Submission], *, settings: Settings, task_types: TaskTypes | None
) -> Sequence[IdempotentResponse | Exception]:
    """The answer to each: the stored one for a repeat, a new one, or the refusal.

    With None for `task_types` no task is enqueued: the caller does that.
    """
    batch = ReplayBatch([item.claim for item in items])
    while places := await batch.next_places(tx, _check):
        requests = [items[place].request for place in places]
        problems = await service.submit_many(tx, settings, requests, task_types)
        answers = [
            problem or IdempotentResponse(202, _shown(request, settings))
            for request, problem in zip(requests, problems, strict=True)
        ]
        await batch.store(tx, places, answers)
    return batch.responses


async def _check(tx: Tx, stored: Mapping[int, IdempotentResponse]) -> dict[int, Problem]:
    """Refuse stored answers about generations that were deleted since."""
    existing = await service.existing(tx, [answer.body["id"] for answer in stored.values()])
    return {place: GenerationNotFound() for place, answer in stored.items() if answer.body["id"] not in existing}


def _shown(request: GenerationRequest, settings: Settings) -> dict[str, Any]:
    return generation_out(Generation(**service.row_of(request)), settings).model_dump(mode="json")


async def _start_texts(
    tx: Tx,
    items: Sequence[Submission],
    answers: Sequence[IdempotentResponse | Exception],
    task_type: tasks.TaskType,
    engine: tasks.EmbeddedEngine,
) -> list[StartedText | Exception]:
    accepted = {answer.body["id"] for answer in answers if isinstance(answer, IdempotentResponse)}
    fresh = [item.request for item in items if item.request.id in accepted]
    await transitions.mark_queued_running(tx, [request.id for request in fresh])
    wanted = [
        tasks.NewTask(
            task_type, {"id": request.id, "running": True}, user_id=request.user_id, request_id=request.request_id
        )
        for request in fresh
    ]
    claimed = await tasks.claim_now(tx, wanted, worker=engine.worker, lease=engine.lease)
    task_of = {task.payload["id"]: task for task in claimed}
    return [
        answer if isinstance(answer, Exception) else StartedText(answer.body["id"], _own(item, answer, task_of))
        for item, answer in zip(items, answers, strict=True)
    ]


def _own(
    item: Submission, answer: IdempotentResponse, task_of: Mapping[str, tasks.ClaimedTask]
) -> tasks.ClaimedTask | None:
    return task_of[item.request.id] if answer.body["id"] == item.request.id else None


async def finish_many(tx: Tx, items: Sequence[Finished], *, bus: Bus, registry: Registry) -> list[bool | Exception]:
    """The answer to each, or LeaseLost in its place."""
    held = await tasks.finish_many(tx, [item.task for item in items])
    outcomes = {item.generation_id: item.outcome for item in items if item.task.id in held}
    ended = await transitions.end_many(tx, bus, outcomes)
    answers: list[bool | Exception] = []
    for item in items:
        if item.task.id not in held:
            answers.append(await _was_finished(tx, item))
            continue
        answers.append(item.generation_id in ended)
        if item.generation_id in ended and item.outcome.status == "succeeded":
            for new in item.outputs:
                await files.insert_file(tx, new)
            await vendor_cleanup.enqueue_deletion(tx, registry, item.job)
    return answers


async def _was_finished(tx: Tx, item: Finished) -> bool | tasks.LeaseLost:
    """The answer of an earlier try under the same lease, whose commit was not confirmed to this process."""
    if not await tasks.was_closed(tx, item.task):
        return tasks.LeaseLost(item.task.name)
    return await transitions.status_of(tx, item.generation_id) == item.outcome.status
