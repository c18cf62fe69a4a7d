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

    @property
    def delivered(self) -> bool:
        """Whether its customer has it, or the part of its text that was written when they stopped it."""
        return self.status == "succeeded" or self.text is not None


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
    charge: int | None = None
    """Micro-credits to charge, at most the price. None is the price where it succeeded, otherwise nothing."""

    @property
    def counts(self) -> bool:
        """Whether the customer had some of the result: then the quota stays used, and what they had is charged."""
        return self.status == "succeeded" or self.charge is not None


_END = SetStatement(
    "UPDATE generations SET status = d.outcome, finished_at = :now, error_code = d.why, "
    "progress = CASE WHEN d.outcome = 'succeeded' THEN 100 ELSE progress END, outputs = CAST(d.made AS {json}), "
    "attempts = COALESCE(CAST(d.tried AS {json}), attempts), usage = COALESCE(CAST(d.spent AS {json}), usage), "
    "text = COALESCE(d.said, text), provider = COALESCE(d.seller, provider), model = COALESCE(d.used_model, model), "
    "cost = COALESCE(d.paid, cost), cost_currency = COALESCE(d.paid_in, cost_currency), "
    "charged = COALESCE(d.charge, CASE WHEN d.outcome = 'succeeded' THEN price ELSE 0 END) "
    "FROM {rows} WHERE generations.id = d.wanted AND status IN ('queued', 'running') "
    "RETURNING id, user_id, key_id, kind, asked, price, charged",
    wanted="text", outcome="text", why="text", made="text", tried="text", spent="text", said="text", seller="text",
    used_model="text", paid="bigint", paid_in="text", charge="bigint",
).answering(asked=JSON())  # fmt: skip


def topic_of(generation_id: str) -> str:
    """Where the news of a generation is published."""
    return f"generation/{generation_id}"


async def end(tx: Tx, bus: Bus, generation_id: str, outcome: Outcome) -> bool:
    """Move a live generation to its end and settle its affairs; False when it had ended before."""
    return generation_id in await end_many(tx, bus, {generation_id: outcome})


async def end_many(tx: Tx, bus: Bus, outcomes: dict[str, Outcome]) -> set[str]:
    """`end` for each; the ids of those that ended now. Where one cannot be settled none is ended.

    Where the customer had the result or a part of it, the hold is settled for what is charged; otherwise it is
    released, and the quota given back. The budget of an API key follows.
    """
    if not outcomes:
        return set()
    moved = (await _END.run(tx, [_row(*each) for each in sorted(outcomes.items())], now=clock.now())).all()
    news = [_ended(row, outcomes[row.id]) for row in moved]
    # Locks are taken in the order in which acceptance takes them: rooms, quotas, budgets, credit.
    await ended.send(tx, news)
    await quotas.give_back_many(tx, [row.id for row in moved if not outcomes[row.id].counts])
    spent = [row for row in moved if row.key_id is not None]
    returned = [row for row in spent if row.charged < row.price or not outcomes[row.id].counts]
    await quotas.unspend_many(tx, [_unspend(row, outcomes[row.id]) for row in returned])
    closed = await ledger.close_many(tx, [_closing(row, outcomes[row.id]) for row in moved])
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
        "charge": outcome.charge,
    }


def _ended(row: Any, outcome: Outcome) -> Ended:
    return Ended(row.id, row.user_id, row.kind, outcome.status, outcome.text, outcome.error_code, row.asked)


def _unspend(row: Any, outcome: Outcome) -> quotas.Unspend:
    return quotas.Unspend(row.id, charged=row.charged, failed=outcome.status == "failed", keep_call=outcome.counts)


def _closing(row: Any, outcome: Outcome) -> ledger.Settlement | ledger.Release:
    return ledger.Settlement(row.id, row.charged) if outcome.counts else ledger.Release(row.id)


def _tell(bus: Bus, news: Sequence[Ended]) -> None:
    for each in news:
        name = "done" if each.status == "succeeded" else "error"
        data = {"generation_id": each.id, "status": each.status, "code": each.error_code}
        bus.publish(topic_of(each.id), name, data)
        if each.status == "cancelled":
            bus.publish(CANCELLED, name, data)
