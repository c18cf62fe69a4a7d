"""Accept wishes in batches: requests that arrive together share one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hortus import tasks
from hortus.core import idempotency
from hortus.core.batch import Batch
from hortus.core.db import Database, Tx
from hortus.core.errors import Problem
from hortus.core.idempotency import Answer, Claim
from hortus.core.settings import Settings
from hortus.generation import service
from hortus.generation.errors import GenerationNotFound
from hortus.generation.running import mark_running
from hortus.generation.service import Wish
from hortus.generation.show import show
from hortus.generation.tables import Generation
from hortus.generation.tasks import RUN


@dataclass(frozen=True, slots=True)
class Asked:
    """A wish with the idempotency claim of its request, if any."""

    wish: Wish
    claim: Claim | None


@dataclass(frozen=True, slots=True)
class Started:
    """A text that was accepted: the task to work on here and now, or None where it was asked for before."""

    generation_id: str
    task: tasks.Claimed | None


class Accept(Batch[Asked, Answer]):
    """`await accept(asked)` gives the 202 answer once it is durable, or raises why not."""

    def __init__(self, database: Database, settings: Settings) -> None:
        async def work(tx: Tx, items: Sequence[Asked]) -> list[Answer | Exception]:
            return await accept_many(tx, settings, items, RUN)

        super().__init__(database, work)


class StartText(Batch[Asked, Started]):
    """`await start(asked)` accepts a text that this process writes itself, or raises why not."""

    def __init__(self, database: Database, settings: Settings, engine: tasks.EmbeddedEngine) -> None:
        async def work(tx: Tx, items: Sequence[Asked]) -> list[Started | Exception]:
            answers = await accept_many(tx, settings, items, None)
            return await _start(tx, items, answers, engine)

        super().__init__(database, work)


async def _start(
    tx: Tx, items: Sequence[Asked], answers: Sequence[Answer | Exception], engine: tasks.EmbeddedEngine
) -> list[Started | Exception]:
    accepted = {answer.body["id"] for answer in answers if isinstance(answer, Answer)}
    fresh = [item.wish for item in items if item.wish.id in accepted]
    await mark_running(tx, [wish.id for wish in fresh])
    wanted = [
        tasks.Wanted(RUN["text"], {"id": wish.id, "running": True}, user_id=wish.user_id, request_id=wish.request_id)
        for wish in fresh
    ]
    claimed = await tasks.claim_now(tx, wanted, worker=engine.worker, lease=engine.lease)
    task_of = {task.payload["id"]: task for task in claimed}
    return [
        answer if isinstance(answer, Exception) else Started(answer.body["id"], _own(item, answer, task_of))
        for item, answer in zip(items, answers, strict=True)
    ]


def _own(item: Asked, answer: Answer, task_of: Mapping[str, tasks.Claimed]) -> tasks.Claimed | None:
    return task_of[item.wish.id] if answer.body["id"] == item.wish.id else None


async def accept_many(
    tx: Tx, settings: Settings, items: Sequence[Asked], kinds: Mapping[str, tasks.Kind] | None
) -> list[Answer | Exception]:
    """The answer to each: the kept one for a repeat, a fresh one, or the refusal.

    `kinds` names the task for each kind of generation; None leaves the tasks to the caller.
    """

    async def make(places: Sequence[int]) -> list[Answer | Problem]:
        wishes = [items[place].wish for place in places]
        problems = await service.submit_many(tx, settings, wishes, kinds)
        return [problem or Answer(202, _shown(wish, settings)) for wish, problem in zip(wishes, problems, strict=True)]

    async def check(kept: Mapping[int, Answer]) -> dict[int, Problem]:
        there = await service.existing(tx, [answer.body["id"] for answer in kept.values()])
        return {place: GenerationNotFound() for place, answer in kept.items() if answer.body["id"] not in there}

    return await idempotency.answer_many(tx, [item.claim for item in items], make, check)


def _shown(wish: Wish, settings: Settings) -> dict[str, Any]:
    return show(Generation(**service.row_of(wish)), settings).model_dump(mode="json")
