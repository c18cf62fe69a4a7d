"""Budgets of API keys: calls and credits per day and month, counted like quotas and restored at most once.

The limits are columns of the key and arrive with each use. Usage is counted even without a limit, so that a budget
set in the middle of a month includes the earlier calls.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any, cast

from hortus.accounts import Budgets
from hortus.core import clock
from hortus.core.db import Tx
from hortus.quotas import statements
from hortus.quotas.errors import AlreadyConsumed, KeyBudgetExceeded, QuotaBroken
from hortus.quotas.windows import WINDOWS, Periods, Window, periods_at

Key = tuple[str, Window]
"""API key and window of one row of the current periods."""


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """One call of an API key that costs `credits` micro-credits. A `reference` is counted once."""

    reference: str
    key_id: str
    credits: int
    budgets: Budgets

    def __post_init__(self) -> None:
        if self.credits < 0:
            raise ValueError("credits must be >= 0")


@dataclass(frozen=True, slots=True)
class BudgetRestore:
    """Restores of one use the credits that were not charged, and its call unless `keep_call`.

    A use that was never `accepted` is removed from the history too.
    """

    reference: str
    charged: int = 0
    failed: bool = False
    keep_call: bool = False
    accepted: bool = True


async def consume_budgets(
    tx: Tx, uses: Sequence[BudgetUse], *, zone: tzinfo, at: datetime | None = None
) -> list[KeyBudgetExceeded | AlreadyConsumed | None]:
    """Count the uses in order, first come, first served: None where one fits, otherwise the error.

    Of N parallel calls against a budget of k, exactly k succeed. Lock order: quotas, then budgets, then credits.
    """
    now = at or clock.now()
    periods = periods_at(clock.whole_minute(now), zone)
    used = await _lock(tx, {use.key_id for use in uses}, periods)
    found = await statements.BUDGET_KNOWN.run(tx, [{"id": use.reference} for use in uses])
    known = set(found.scalars())
    answers: list[KeyBudgetExceeded | AlreadyConsumed | None] = []
    changes: dict[Key, dict[str, Any]] = {}
    rows: list[dict[str, Any]] = []
    for use in uses:
        problem: KeyBudgetExceeded | AlreadyConsumed | None
        repeated = use.reference in known
        problem = AlreadyConsumed(use.reference) if repeated else _exceeded(use, used, periods, now)
        answers.append(problem)
        if problem is not None:
            continue
        known.add(use.reference)
        rows.append({"reference": use.reference, "key_id": use.key_id, "calls": 1, "credits": use.credits})
        for window in WINDOWS:
            key: Key = (use.key_id, window)
            calls, paid = used[key]
            used[key] = (calls + 1, paid + use.credits)
            change = changes.setdefault(key, _change(key, periods.starts[window]))
            change["accepted"] += 1
            change["calls"] += 1
            change["credits"] += use.credits
            # The limits of the last use apply: its sum includes all uses before it.
            change["most_calls"], change["most_credits"] = limits_in(use.budgets, window)
    await _count(tx, [changes[key] for key in sorted(changes)])
    if rows:
        calendar = {"day": periods.starts["day"], "month": periods.starts["month"], "now": now}
        if (await statements.BUDGET_INSERT.run(tx, rows, **calendar)).rowcount != len(rows):
            # Another transaction inserted one of the references after our SELECT; a retry finds out which.
            raise AlreadyConsumed(str(rows[0]["reference"]) if len(rows) == 1 else "")
    return answers


async def restore_budgets(tx: Tx, restores: Sequence[BudgetRestore]) -> list[bool]:
    """Subtract each use from the day and month it was counted in. True the first time, otherwise False."""
    wanted = {each.reference: each for each in reversed(restores)}
    ids = [{"id": reference} for reference in sorted(wanted)]
    if not ids:
        return []
    if tx.dialect == "postgresql":
        (await statements.BUDGET_LOCK_USES.run(tx, ids)).all()
    restored: set[str] = set()
    changes: dict[tuple[str, Window, date], dict[str, Any]] = {}
    for reference, key_id, calls, paid, day, month in await statements.BUDGET_RESTORE.run(tx, ids):
        restored.add(reference)
        for window, starts_on in zip(WINDOWS, (day, month), strict=True):
            change = changes.setdefault((key_id, window, starts_on), _change((key_id, window), starts_on))
            change["calls"] -= 0 if wanted[reference].keep_call else calls
            change["credits"] -= paid - wanted[reference].charged
            change["accepted"] -= not wanted[reference].accepted
            change["failures"] += wanted[reference].failed
    rows = [changes[key] for key in sorted(changes)]
    if rows:
        (await statements.BUDGET_READ.run(tx, rows)).all()  # locks the rows in order
    await _count(tx, rows)
    answers: list[bool] = []
    for each in restores:
        answers.append(each.reference in restored)
        restored.discard(each.reference)
    return answers


def limits_in(budgets: Budgets, window: Window) -> tuple[int | None, int | None]:
    """The limits of calls and of micro-credits per day or month."""
    if window == "day":
        return budgets.daily_calls, budgets.daily_credits
    return budgets.monthly_calls, budgets.monthly_credits


def _exceeded(
    use: BudgetUse, used: Mapping[Key, tuple[int, int]], periods: Periods, now: datetime
) -> KeyBudgetExceeded | None:
    # The month is checked first: when both are used up, waiting for the next day does not help.
    for window in reversed(WINDOWS):
        wanted = (1, use.credits)
        for name, limit, have, more in zip(
            ("calls", "credits"), limits_in(use.budgets, window), used[use.key_id, window], wanted, strict=True
        ):
            if limit is not None and more and have + more > limit:
                return KeyBudgetExceeded(
                    budget=name, window=window, limit=limit, used=have, resets_at=periods.ends[window], now=now
                )
    return None


async def _lock(tx: Tx, key_ids: Iterable[str], periods: Periods) -> dict[Key, tuple[int, int]]:
    rows = [
        {"key_id": key_id, "period": window, "starts_on": periods.starts[window]}
        for key_id in sorted(key_ids)
        for window in WINDOWS
    ]
    # Create all rows before locking any, so that concurrent batches lock in the same order.
    await statements.BUDGET_OPEN.run(tx, rows)
    found = await statements.BUDGET_READ.run(tx, rows)
    return {(key_id, cast("Window", window)): (calls, paid) for key_id, window, calls, paid in found}


def _change(key: Key, starts_on: date) -> dict[str, Any]:
    counters = {"accepted": 0, "calls": 0, "credits": 0, "failures": 0, "most_calls": None, "most_credits": None}
    return {"key_id": key[0], "period": key[1], "starts_on": starts_on, **counters}


async def _count(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows and (await statements.BUDGET_COUNT.run(tx, rows)).rowcount != len(rows):
        raise QuotaBroken(f"expected to update {len(rows)} budget rows, updated fewer")
