"""State transitions of generations: queued -> running -> succeeded, failed or cancelled, each end exactly once.

The statement that ends a generation also settles or releases its hold, quota and budget, in the same transaction.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import JSON, func, select, update

from hortus import ledger, quotas
from hortus.core import clock
from hortus.core.db import Tx
from hortus.core.db.bulk import BulkStatement, in_json
from hortus.core.events import Bus
from hortus.core.signals import Signal
from hortus.generation.event_context import EventContext
from hortus.generation.tables import LIVE, Generation

CANCELLED = "generations/cancelled"
"""The topic on which the ids of cancelled generations are published, for the processes that run them."""


def topic_of(generation_id: str) -> str:
    """The topic on which the events of a generation are published."""
    return f"generation/{generation_id}"


# Running ---------------------------------------------------------------------


async def mark_running_many(tx: Tx, generation_ids: Sequence[str]) -> list[Generation | None]:
    """Mark the live ones of these as running; None in the place of those that have ended."""
    statement = (
        update(Generation)
        .where(in_json(Generation.id, generation_ids), Generation.status.in_(LIVE))
        .values(status="running", started_at=func.coalesce(Generation.started_at, clock.now()))
        .returning(Generation)
    )
    found = {generation.id: generation for generation in (await tx.execute(statement)).scalars()}
    return [found.get(generation_id) for generation_id in generation_ids]


async def mark_queued_running(tx: Tx, generation_ids: Sequence[str]) -> None:
    """Mark queued generations as running."""
    if generation_ids:
        queued = update(Generation).where(in_json(Generation.id, generation_ids), Generation.status == "queued")
        await tx.execute(queued.values(status="running", started_at=clock.now()))


async def find_live(tx: Tx, generation_id: str) -> Generation | None:
    """A generation of any user that has not ended."""
    query = select(Generation).where(Generation.id == generation_id, Generation.status.in_(LIVE))
    return (await tx.execute(query)).scalar_one_or_none()


async def status_of(tx: Tx, generation_id: str) -> str | None:
    """The status alone; None where there is no such row."""
    return (await tx.execute(select(Generation.status).where(Generation.id == generation_id))).scalar_one_or_none()


async def no_longer_wanted(tx: Tx, generation_ids: Collection[str]) -> set[str]:
    """Which of these must be stopped where they run: they have ended, are gone, or their owner requested a stop."""
    wanted = select(Generation.id).where(
        in_json(Generation.id, generation_ids), Generation.status.in_(LIVE), Generation.stop_requested_at.is_(None)
    )
    return set(generation_ids) - set((await tx.execute(wanted)).scalars())


async def store_progress(tx: Tx, generation_id: str, percent: int) -> None:
    """Raise the progress of a running generation; it never goes back."""
    await tx.execute(
        update(Generation)
        .where(Generation.id == generation_id, Generation.status == "running", Generation.progress < percent)
        .values(progress=percent)
    )


async def store_job(tx: Tx, generation_id: str, provider: str, model: str, handle: str) -> None:
    """Store the vendor's id of a job that was started, so that a restart polls it instead of buying another."""
    await tx.execute(
        update(Generation)
        .where(Generation.id == generation_id)
        .values(job_provider=provider, job_model=model, job_handle=handle)
    )


# The end ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ended:
    """A generation that this transaction ended, for the receivers of `ended`."""

    id: str
    user_id: str
    kind: str
    status: Literal["succeeded", "failed", "cancelled"]
    text: str | None
    error_code: str | None
    event_context: EventContext | None

    @property
    def delivered(self) -> bool:
        """Whether the customer has the result, or the part of its text that was written before a stop."""
        return self.status == "succeeded" or self.text is not None


ended: Signal[Sequence[Ended]] = Signal("generation.ended")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The columns of `Generation` that are known only at the end."""

    status: Literal["succeeded", "failed", "cancelled"]
    error_code: str | None = None
    text: str | None = None
    outputs: tuple[dict[str, Any], ...] = ()
    usage: dict[str, Any] | None = None
    attempts: tuple[dict[str, Any], ...] | None = None
    provider: str | None = None
    model: str | None = None
    cost: int | None = None
    cost_currency: str | None = None
    charge: int | None = None
    """Micro-credits to charge, at most the price. None charges the price of a success, and nothing otherwise."""

    @property
    def counts(self) -> bool:
        """Whether the customer had some of the result: the quota stays used, and the charge is settled."""
        return self.status == "succeeded" or self.charge is not None


_END = BulkStatement(
    "UPDATE generations SET status = d.status, finished_at = :now, error_code = d.error_code, "
    "progress = CASE WHEN d.status = 'succeeded' THEN 100 ELSE generations.progress END, "
    "outputs = CAST(d.outputs AS {json}), "
    "attempts = COALESCE(CAST(d.attempts AS {json}), generations.attempts), "
    "usage = COALESCE(CAST(d.usage AS {json}), generations.usage), "
    "text = COALESCE(d.text, generations.text), provider = COALESCE(d.provider, generations.provider), "
    "model = COALESCE(d.model, generations.model), cost = COALESCE(d.cost, generations.cost), "
    "cost_currency = COALESCE(d.cost_currency, generations.cost_currency), "
    "charged = COALESCE(d.charged, CASE WHEN d.status = 'succeeded' THEN price ELSE 0 END) "
    "FROM {rows} WHERE generations.id = d.id AND generations.status IN ('queued', 'running') "
    "RETURNING generations.id AS id, user_id, key_id, kind, params, price, generations.charged AS charged",
    id="text", status="text", error_code="text", outputs="text", attempts="text", usage="text", text="text",
    provider="text", model="text", cost="bigint", cost_currency="text", charged="bigint",
).result_types(params=JSON())  # fmt: skip


async def end(tx: Tx, bus: Bus, generation_id: str, outcome: Outcome) -> bool:
    """End a live generation and settle it; False when it had ended before."""
    return generation_id in await end_many(tx, bus, {generation_id: outcome})


async def end_many(tx: Tx, bus: Bus, outcomes: dict[str, Outcome]) -> set[str]:
    """`end` for each; the ids of those that ended now. Where one cannot be settled none is ended.

    Where the customer had the result or a part of it, the hold is settled for what is charged; otherwise it is
    released, and the quota given back. The budget of an API key follows.
    """
    if not outcomes:
        return set()
    moved = (await _END.run(tx, [_row(*each) for each in sorted(outcomes.items())], now=clock.now())).all()
    endings = [_ended(row, outcomes[row.id]) for row in moved]
    # Locks are taken in the order in which acceptance takes them: rooms, quotas, budgets, credit.
    await ended.send(tx, endings)
    await quotas.restore_many(tx, [row.id for row in moved if not outcomes[row.id].counts])
    spent = [row for row in moved if row.key_id is not None]
    returned = [row for row in spent if row.charged < row.price or not outcomes[row.id].counts]
    await quotas.restore_budgets(tx, [_budget_restore(row, outcomes[row.id]) for row in returned])
    closed = await ledger.close_many(tx, [_closing(row, outcomes[row.id]) for row in moved])
    for problem in closed:
        if isinstance(problem, Exception):
            raise problem
    tx.after_commit(lambda: _publish(bus, endings))
    return {each.id for each in endings}


def _row(generation_id: str, outcome: Outcome) -> dict[str, Any]:
    return {
        "id": generation_id,
        "status": outcome.status,
        "error_code": outcome.error_code,
        "outputs": json.dumps(outcome.outputs),
        "attempts": None if outcome.attempts is None else json.dumps(outcome.attempts),
        "usage": None if outcome.usage is None else json.dumps(outcome.usage),
        "text": outcome.text,
        "provider": outcome.provider,
        "model": outcome.model,
        "cost": outcome.cost,
        "cost_currency": outcome.cost_currency,
        "charged": outcome.charge,
    }


def _ended(row: Any, outcome: Outcome) -> Ended:
    context = EventContext.of(row.params)
    return Ended(row.id, row.user_id, row.kind, outcome.status, outcome.text, outcome.error_code, context)


def _budget_restore(row: Any, outcome: Outcome) -> quotas.BudgetRestore:
    return quotas.BudgetRestore(
        row.id, charged=row.charged, failed=outcome.status == "failed", keep_call=outcome.counts
    )


def _closing(row: Any, outcome: Outcome) -> ledger.Settlement | ledger.Release:
    return ledger.Settlement(row.id, row.charged) if outcome.counts else ledger.Release(row.id)


def _publish(bus: Bus, endings: Sequence[Ended]) -> None:
    for each in endings:
        name = "done" if each.status == "succeeded" else "error"
        data = {"generation_id": each.id, "status": each.status, "code": each.error_code}
        bus.publish(topic_of(each.id), name, data)
        if each.status == "cancelled":
            bus.publish(CANCELLED, name, data)
