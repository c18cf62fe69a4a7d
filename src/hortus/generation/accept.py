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
    await service.mark_running(tx, [wish.id for wish in fresh])
    wanted = [
        tasks.Wanted(RUN["text"], {"id": wish.id}, user_id=wish.user_id, request_id=wish.request_id) for wish in fresh
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
    repeats = _repeats(items)
    answers = await _claim(tx, {place: item for place, item in enumerate(items) if place not in repeats})
    fresh = [place for place in range(len(items)) if place not in answers and place not in repeats]
    problems = await service.submit_many(tx, settings, [items[place].wish for place in fresh], kinds)
    for place, refusal in zip(fresh, problems, strict=True):
        item = items[place]
        if refusal is not None:
            answers[place] = refusal
            if item.claim is not None:
                await idempotency.drop(tx, item.claim)
            continue
        body = _shown(item.wish, settings)
        answers[place] = Answer(202, body)
        if item.claim is not None:
            await idempotency.keep(tx, item.claim, 202, body)
    if repeats:  # the same key twice in one batch: the second one finds the first one's answer
        later = await accept_many(tx, settings, [items[place] for place in repeats], kinds)
        answers.update(zip(repeats, later, strict=True))
    return [answers[place] for place in range(len(items))]


async def _claim(tx: Tx, items: Mapping[int, Asked]) -> dict[int, Answer | Exception]:
    """The kept answers and the refusals of keys that came before."""
    answers: dict[int, Answer | Exception] = {}
    for place, item in items.items():
        if item.claim is None:
            continue
        try:
            kept = await idempotency.claim(tx, item.claim)
        except Problem as problem:
            answers[place] = problem
        else:
            if kept is not None:
                answers[place] = kept
    return answers


def _repeats(items: Sequence[Asked]) -> list[int]:
    """The places whose key stands earlier in the same batch."""
    seen: set[tuple[str, str]] = set()
    found: list[int] = []
    for place, item in enumerate(items):
        if item.claim is not None:
            key = (item.claim.scope, item.claim.key)
            if key in seen:
                found.append(place)
            seen.add(key)
    return found


def _shown(wish: Wish, settings: Settings) -> dict[str, Any]:
    return show(Generation(**service.row_of(wish)), settings).model_dump(mode="json")
