"""Budgets of API keys: calls and credits by day and month, counted like quotas, given back once.

The limits come with each take, from the key; what was used stands here, whether limited or not, so that a budget
set in the middle of a month knows what was used before.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any, cast

from hortus.accounts import Budgets
from hortus.core import clock
from hortus.core.db import Tx
from hortus.quotas import statements
from hortus.quotas.errors import AlreadyTaken, KeyBudgetExceeded, QuotaBroken
from hortus.quotas.windows import WINDOWS, Periods, Window, periods_at

Key = tuple[str, Window]
"""API key and window of one row of the current periods."""


@dataclass(frozen=True, slots=True)
class Spend:
    """A wish to use one call and `credits` micro-credits of a key's budgets under a reference that counts once."""

    reference: str
    key_id: str
    credits: int
    budgets: Budgets

    def __post_init__(self) -> None:
        if self.credits < 0:
            raise ValueError("nobody spends less than nothing")


@dataclass(frozen=True, slots=True)
class Unspend:
    """What comes back of a spend: the credits that were not charged, and its call unless `keep_call`.

    One that was never `accepted` leaves no trace in the history.
    """

    reference: str
    charged: int = 0
    failed: bool = False
    keep_call: bool = False
    accepted: bool = True


async def spend_many(
    tx: Tx, spends: Sequence[Spend], *, zone: tzinfo, at: datetime | None = None
) -> list[KeyBudgetExceeded | AlreadyTaken | None]:
    """Count each in turn: first come, first served. None where it fits, otherwise why not.

    N parallel calls against a budget of k let exactly k through. Take quotas before, credit after: that is the order
    of the locks.
    """
    now = at or clock.now()
    periods = periods_at(now, zone)
    used = await _lock(tx, {spend.key_id for spend in spends}, periods)
    found = await statements.BUDGET_KNOWN.run(tx, [{"id": spend.reference} for spend in spends])
    known = set(found.scalars())
    answers: list[KeyBudgetExceeded | AlreadyTaken | None] = []
    changes: dict[Key, dict[str, Any]] = {}
    rows: list[dict[str, Any]] = []
    for spend in spends:
        problem: KeyBudgetExceeded | AlreadyTaken | None
        repeated = spend.reference in known
        problem = AlreadyTaken(spend.reference) if repeated else _exceeded(spend, used, periods, now)
        answers.append(problem)
        if problem is not None:
            continue
        known.add(spend.reference)
        rows.append({"id": spend.reference, "who": spend.key_id, "number": 1, "price": spend.credits})
        for window in WINDOWS:
            key: Key = (spend.key_id, window)
            calls, paid = used[key]
            used[key] = (calls + 1, paid + spend.credits)
            change = changes.setdefault(key, _change(key, periods.starts[window]))
            change["came"] += 1
            change["more_calls"] += 1
            change["more_credits"] += spend.credits
            # The last one that fits has the last word: all before it are in its sum.
            change["most_calls"], change["most_credits"] = limits_in(spend.budgets, window)
    await _count(tx, [changes[key] for key in sorted(changes)])
    if rows:
        calendar = {"day": periods.starts["day"], "month": periods.starts["month"], "now": now}
        if (await statements.BUDGET_INSERT.run(tx, rows, **calendar)).rowcount != len(rows):
            # Another transaction took one of the references since we looked; a repeat will see which.
            raise AlreadyTaken(str(rows[0]["id"]) if len(rows) == 1 else "")
    return answers


async def unspend_many(tx: Tx, returns: Sequence[Unspend]) -> list[bool]:
    """Take each off the day and month it was counted in; True the first time, otherwise False."""
    wanted = {each.reference: each for each in reversed(returns)}
    ids = [{"id": reference} for reference in sorted(wanted)]
    if not ids:
        return []
    if tx.dialect == "postgresql":
        (await statements.BUDGET_LOCK_TAKES.run(tx, ids)).all()
    given: set[str] = set()
    changes: dict[tuple[str, Window, date], dict[str, Any]] = {}
    for reference, key_id, calls, paid, day, month in await statements.BUDGET_GIVE_BACK.run(tx, ids):
        given.add(reference)
        for window, since in zip(WINDOWS, (day, month), strict=True):
            change = changes.setdefault((key_id, window, since), _change((key_id, window), since))
            change["more_calls"] -= 0 if wanted[reference].keep_call else calls
            change["more_credits"] -= paid - wanted[reference].charged
            change["came"] -= not wanted[reference].accepted
            change["failed"] += wanted[reference].failed
    rows = [changes[key] for key in sorted(changes)]
    if rows:
        (await statements.BUDGET_READ.run(tx, rows)).all()  # locks them in order
    await _count(tx, rows)
    answers: list[bool] = []
    for each in returns:
        answers.append(each.reference in given)
        given.discard(each.reference)
    return answers


def limits_in(budgets: Budgets, window: Window) -> tuple[int | None, int | None]:
    """How many calls and micro-credits the budgets allow per day or month."""
    if window == "day":
        return budgets.daily_calls, budgets.daily_credits
    return budgets.monthly_calls, budgets.monthly_credits


def _exceeded(
    spend: Spend, used: Mapping[Key, tuple[int, int]], periods: Periods, now: datetime
) -> KeyBudgetExceeded | None:
    # The month comes first: when both are full, waiting for the day would not help.
    for window in reversed(WINDOWS):
        wanted = (1, spend.credits)
        for name, limit, have, more in zip(
            ("calls", "credits"), limits_in(spend.budgets, window), used[spend.key_id, window], wanted, strict=True
        ):
            if limit is not None and more and have + more > limit:
                return KeyBudgetExceeded(
                    budget=name, window=window, limit=limit, used=have, resets_at=periods.ends[window], now=now
                )
    return None


async def _lock(tx: Tx, key_ids: Iterable[str], periods: Periods) -> dict[Key, tuple[int, int]]:
    rows = [
        {"who": key_id, "period": window, "since": periods.starts[window]}
        for key_id in sorted(key_ids)
        for window in WINDOWS
    ]
    # All rows exist before any is locked, so that two batches always lock in the same order.
    await statements.BUDGET_OPEN.run(tx, rows)
    found = await statements.BUDGET_READ.run(tx, rows)
    return {(key_id, cast("Window", window)): (calls, paid) for key_id, window, calls, paid in found}


def _change(key: Key, since: date) -> dict[str, Any]:
    counters = {"came": 0, "more_calls": 0, "more_credits": 0, "failed": 0, "most_calls": None, "most_credits": None}
    return {"who": key[0], "period": key[1], "since": since, **counters}


async def _count(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows and (await statements.BUDGET_COUNT.run(tx, rows)).rowcount != len(rows):
        raise QuotaBroken(f"{len(rows)} rows of budgets were expected to change, and not all did")
