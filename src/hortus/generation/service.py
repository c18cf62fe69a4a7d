"""Accept, find, delete and retry generations.

Acceptance uses the quota, holds the price and inserts the row in one transaction. `transitions` ends a generation,
`cancellation` stops it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, literal_column, select, update

from hortus import ledger, quotas, tasks
from hortus.accounts import Budgets, Principal
from hortus.core import clock, context, ids
from hortus.core.db import Tx, search
from hortus.core.db.bulk import bulk_insert, in_json
from hortus.core.db.paging import Page, PageRequest, newest
from hortus.core.errors import Problem
from hortus.core.settings import Settings
from hortus.generation.errors import GenerationNotFound, NotRetryable, RetryRunning
from hortus.generation.event_context import EventContext
from hortus.generation.tables import BY_USAGE, LIVE, Generation
from hortus.providers import Operation
from hortus.routing import Route, Tier

_ACCEPT = bulk_insert(
    Generation, "id", "user_id", "key_id", "kind", "operation", "status", "progress", "quality", "prompt", "params",
    "route", "price", "rates", "model", "provider", "outputs", "attempts", "retry_of", "created_at",
    "search",
)  # fmt: skip
_IS_RETRY: ColumnElement[bool] = literal_column("generations.retry_of IS NOT NULL")
"""The condition of the partial index, written as it stands there."""
HOLD_LASTS = timedelta(hours=26)
"""Longer than any generation can live; the ledger releases holds that are older."""


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One checked request with its route and price. `params` are the parameters for `run`, in plain JSON."""

    caller: Principal
    operation: Operation
    prompt: str
    params: dict[str, Any]
    quality: Tier
    route: Route
    named: bool = False
    """Whether the customer named the model: then the quality of the model counts, not `quality`."""
    count: int = 1
    retry_of: str | None = None
    event_context: EventContext | None = None
    id: str = field(default_factory=ids.new)
    request_id: str = field(default_factory=context.request_id.get)

    @property
    def user_id(self) -> str:
        """The id of the caller."""
        return self.caller.user_id

    @property
    def kind(self) -> str:
        """text, chat, image or video."""
        return self.operation.partition(".")[0]

    @property
    def needs(self) -> Tier:
        """The quality that the customer's plan must bring."""
        return self.route.choices[0].model.tier if self.named else self.quality


# Accept ----------------------------------------------------------------------


async def submit_many(
    tx: Tx, settings: Settings, requests: Sequence[GenerationRequest], task_types: Mapping[str, tasks.TaskType] | None
) -> list[Problem | None]:
    """Accept each request: quota, reservation, row and task, or none of them. Returns None or the refusal of each.

    `task_types` are the tasks that run each kind; with None the caller enqueues them. Quota, budgets and credit are
    locked in this order in every transaction.
    """
    # The order of quotas, budgets and credit is the order of the locks, here and at the end.
    refused = await _running_retries(tx, requests)
    wanted = [request for request in requests if request.id not in refused]
    uses = [quotas.QuotaUse(each.id, each.user_id, each.kind, each.count, each.needs) for each in wanted]
    refused |= _refused(wanted, await quotas.consume_many(tx, uses, zone=settings.zone))
    over = await _spend_budgets(tx, settings, [request for request in requests if request.id not in refused])
    wanted = [request for request in requests if request.id not in refused and request.id not in over]
    holds = [ledger.Hold(each.user_id, each.route.price, each.id, HOLD_LASTS) for each in wanted]
    unpaid = _refused(wanted, await ledger.reserve_many(tx, holds))
    if over or unpaid:
        await quotas.restore_many(tx, [*over, *unpaid])
        spent = [request.id for request in requests if request.id in unpaid and request.caller.key_id is not None]
        await quotas.restore_budgets(tx, [quotas.BudgetRestore(reference, accepted=False) for reference in spent])
    refused |= over | unpaid
    accepted = [request for request in requests if request.id not in refused]
    if accepted:
        await _ACCEPT.run(tx, [row_of(request) for request in accepted])
        if task_types is not None:
            await tasks.enqueue_many(
                tx,
                [
                    tasks.NewTask(
                        task_types[request.kind],
                        {"id": request.id},
                        user_id=request.user_id,
                        request_id=request.request_id,
                    )
                    for request in accepted
                ],
            )
    return [_final(refused, request.id) for request in requests]


def _final(refused: Mapping[str, Problem], generation_id: str) -> Problem | None:
    """Why a request was refused. A retry that waited for an earlier one of its batch shares the refusal of that one."""
    problem = refused.get(generation_id)
    return refused.get(problem.extra["generation_id"], problem) if isinstance(problem, RetryRunning) else problem


async def _running_retries(tx: Tx, requests: Sequence[GenerationRequest]) -> dict[str, Problem]:
    """Refuse each retry of a generation that has another retry, live or earlier in `requests`."""
    retries = [(request, request.retry_of) for request in requests if request.retry_of is not None]
    if not retries:
        return {}
    retried = {old for _, old in retries}
    # The lock makes the answer true until the commit; a SQLite writer is alone already.
    locked = select(Generation.id).where(in_json(Generation.id, retried)).order_by(Generation.id)
    await tx.execute(locked.with_for_update(key_share=True))
    query = select(Generation.retry_of, Generation.id).where(
        in_json(Generation.retry_of, retried), _IS_RETRY, Generation.status.in_(LIVE)
    )
    running = {row.retry_of: row.id for row in await tx.execute(query)}
    found = {request.id: running.setdefault(old, request.id) for request, old in retries}
    return {
        generation_id: RetryRunning(generation_id=other)
        for generation_id, other in found.items()
        if other != generation_id
    }


async def _spend_budgets(tx: Tx, settings: Settings, requests: Sequence[GenerationRequest]) -> dict[str, Problem]:
    """Use the budgets of API keys; the refusals by id."""
    by_key = [request for request in requests if request.caller.key_id is not None]
    if not by_key:
        return {}
    spends = [
        quotas.BudgetUse(
            request.id, request.caller.key_id or "", request.route.price, request.caller.budgets or Budgets()
        )
        for request in by_key
    ]
    return _refused(by_key, await quotas.consume_budgets(tx, spends, zone=settings.zone))


def _refused(requests: Sequence[GenerationRequest], problems: Sequence[Problem | None]) -> dict[str, Problem]:
    """The refusals by id."""
    return {request.id: problem for request, problem in zip(requests, problems, strict=True) if problem is not None}


def _stored(context: EventContext | None) -> dict[str, Any]:
    return {} if context is None else {"event_context": context._asdict()}


def row_of(request: GenerationRequest) -> dict[str, Any]:
    """The row of a request at its acceptance."""
    return {
        "id": request.id,
        "user_id": request.user_id,
        "key_id": request.caller.key_id,
        "kind": request.kind,
        "operation": request.operation,
        "status": "queued",
        "progress": 0,
        "quality": request.quality,
        "prompt": request.prompt,
        # Messages have a search of their own.
        "search": "" if request.kind == "chat" else search.document(request.user_id, request.prompt),
        "params": request.params | _stored(request.event_context),
        "route": [
            {"model": choice.model.id, "provider": choice.offer.provider, "vendor_model": choice.offer.model}
            for choice in request.route.choices
        ],
        "price": request.route.price,
        "rates": request.route.choices[0].model.price.model_dump() if request.kind in BY_USAGE else None,
        "model": request.route.choices[0].model.id,
        "provider": request.route.choices[0].offer.provider,
        "outputs": [],
        "attempts": [],
        "retry_of": request.retry_of,
        "created_at": clock.now(),
    }


# Find ------------------------------------------------------------------------


async def find(tx: Tx, user_id: str, generation_id: str) -> Generation:
    """The user's generation; raises GenerationNotFound."""
    query = select(Generation).where(
        Generation.id == generation_id, Generation.user_id == user_id, Generation.deleted_at.is_(None)
    )
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        raise GenerationNotFound
    return found


async def existing(tx: Tx, generation_ids: Collection[str]) -> set[str]:
    """Which of these generations their owners have not deleted."""
    query = select(Generation.id).where(in_json(Generation.id, generation_ids), Generation.deleted_at.is_(None))
    return set((await tx.execute(query)).scalars())


async def find_all(
    tx: Tx,
    user_id: str,
    paging: PageRequest,
    *,
    kind: str | None = None,
    status: str | None = None,
    words: str | None = None,
) -> Page[Any]:
    """The user's generations, newest first; `words` searches in the prompts of all kinds but chat."""
    query = select(Generation).where(Generation.user_id == user_id, Generation.deleted_at.is_(None))
    if kind is not None:
        query = query.where(Generation.kind == kind)
    if status is not None:
        query = query.where(Generation.status == status)
    if words:
        return await search.find(tx, query, paging, user_id, words, order=Generation.id)
    return await newest(tx, query, paging, Generation.id)


# Change ----------------------------------------------------------------------


async def delete(tx: Tx, user_id: str, generation_id: str) -> list[str]:
    """Hide an ended generation from its owner; the ids of its files. Call `cancellation.stop` first."""
    found = await find(tx, user_id, generation_id)
    await tx.execute(
        update(Generation)
        .where(Generation.id == generation_id, Generation.user_id == user_id)
        .values(deleted_at=clock.now(), prompt="", search="", text=None, params={})
    )
    return [output["file_id"] for output in found.outputs]


async def retryable(tx: Tx, user_id: str, generation_id: str) -> Generation:
    """The user's generation if it may be tried again; raises NotRetryable."""
    found = await find(tx, user_id, generation_id)
    if found.status not in ("failed", "cancelled") or found.kind == "chat":
        raise NotRetryable(status_now=found.status)
    return found
