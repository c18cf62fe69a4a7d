"""End generations: each exactly once, many in one transaction.

Whoever moves `status` out of queued or running settles its affairs in the same transaction.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import JSON

from hortus import ledger, quotas
from hortus.core import clock
from hortus.core.db import Tx
from hortus.core.events import Bus
from hortus.core.rowset import SetStatement
from hortus.core.signals import Signal

CANCELLED = "generations/cancelled"
"""Where the ids of cancelled generations are published, for whoever works on them."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A generation that just ended, for whoever waits for it in the same transaction."""

    id: str
    user_id: str
    kind: str
    status: Literal["succeeded", "failed", "cancelled"]
    text: str | None
    error_code: str | None
    asked: dict[str, Any]


ended: Signal[Sequence[Ended]] = Signal("generation.ended")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the work went; the rest of `Generation` that is only known at the end."""

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
    quota_used: bool = False
    """Whether the customer had some of the result, so that the quota stays used although nothing is charged."""


_END = SetStatement(
    "UPDATE generations SET status = d.outcome, finished_at = :now, error_code = d.why, "
    "progress = CASE WHEN d.outcome = 'succeeded' THEN 100 ELSE progress END, outputs = CAST(d.made AS {json}), "
    "attempts = COALESCE(CAST(d.tried AS {json}), attempts), usage = COALESCE(CAST(d.spent AS {json}), usage), "
    "text = COALESCE(d.said, text), provider = COALESCE(d.seller, provider), model = COALESCE(d.used_model, model), "
    "cost = COALESCE(d.paid, cost), cost_currency = COALESCE(d.paid_in, cost_currency) "
    "FROM {rows} WHERE generations.id = d.wanted AND status IN ('queued', 'running') "
    "RETURNING id, user_id, key_id, kind, asked",
    wanted="text", outcome="text", why="text", made="text", tried="text", spent="text", said="text", seller="text",
    used_model="text", paid="bigint", paid_in="text",
).answering(asked=JSON())  # fmt: skip


def topic_of(generation_id: str) -> str:
    """Where the news of a generation is published."""
    return f"generation/{generation_id}"


async def end(tx: Tx, bus: Bus, generation_id: str, outcome: Outcome) -> bool:
    """Move a live generation to its end and settle its affairs; False when it had ended before."""
    return generation_id in await end_many(tx, bus, {generation_id: outcome})


async def end_many(tx: Tx, bus: Bus, outcomes: dict[str, Outcome]) -> set[str]:
    """`end` for each; the ids of those that ended now. Where one cannot be settled none is ended.

    Success settles the hold; anything else releases it and gives the quota back.
    """
    if not outcomes:
        return set()
    moved = (await _END.run(tx, [_row(*each) for each in sorted(outcomes.items())], now=clock.now())).all()
    news = [_ended(row, outcomes[row.id]) for row in moved]
    # Locks are taken in the order in which acceptance takes them: rooms, quotas, budgets, credit.
    await ended.send(tx, news)
    void = [each.id for each in news if each.status != "succeeded"]
    await quotas.give_back_many(tx, [each for each in void if not outcomes[each].quota_used])
    spent = [row.id for row in moved if row.key_id is not None and row.id in void]
    await quotas.unspend_many(tx, [_unspend(each, outcomes[each]) for each in spent])
    closed = await ledger.close_many(tx, [_closing(each.id, each.status) for each in news])
    for problem in closed:
        if isinstance(problem, Exception):
            raise problem
    tx.after_commit(lambda: _tell(bus, news))
    return {each.id for each in news}


def _row(generation_id: str, outcome: Outcome) -> dict[str, Any]:
    return {
        "wanted": generation_id,
        "outcome": outcome.status,
        "why": outcome.error_code,
        "made": json.dumps(outcome.outputs),
        "tried": None if outcome.attempts is None else json.dumps(outcome.attempts),
        "spent": None if outcome.usage is None else json.dumps(outcome.usage),
        "said": outcome.text,
        "seller": outcome.provider,
        "used_model": outcome.model,
        "paid": outcome.cost,
        "paid_in": outcome.cost_currency,
    }


def _ended(row: Any, outcome: Outcome) -> Ended:
    return Ended(row.id, row.user_id, row.kind, outcome.status, outcome.text, outcome.error_code, row.asked)


def _unspend(generation_id: str, outcome: Outcome) -> quotas.Unspend:
    return quotas.Unspend(generation_id, failed=outcome.status == "failed", keep_call=outcome.quota_used)


def _closing(generation_id: str, status: str) -> ledger.Settlement | ledger.Release:
    return ledger.Settlement(generation_id) if status == "succeeded" else ledger.Release(generation_id)


def _tell(bus: Bus, news: Sequence[Ended]) -> None:
    for each in news:
        name = "done" if each.status == "succeeded" else "error"
        data = {"generation_id": each.id, "status": each.status, "code": each.error_code}
        bus.publish(topic_of(each.id), name, data)
        if each.status == "cancelled":
            bus.publish(CANCELLED, name, data)
