"""What API keys have used, day by day, and what their budgets leave."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, Literal

from hortus.accounts import Budgets
from hortus.core import clock
from hortus.core.db import Tx
from hortus.quotas import statements
from hortus.quotas.budgets import limits_in
from hortus.quotas.windows import WINDOWS, Window, periods_at


@dataclass(frozen=True, slots=True)
class Spent:
    """What a key used in one day or month: accepted calls, and what of them counts against its budgets."""

    accepted: int = 0
    calls: int = 0
    credits: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class KeyHistory:
    """The last days of a key, oldest first, what it used in the current day and month, and when those end."""

    days: dict[date, Spent]
    current: dict[Window, Spent]
    ends: dict[Window, datetime]


@dataclass(frozen=True, slots=True)
class BudgetLeft:
    """One budget in its current day or month; a null limit does not limit. Credits are micro-credits."""

    kind: Literal["calls", "credits"]
    window: Window
    limit: int | None
    used: int
    remaining: int | None
    resets_at: datetime


async def histories(
    tx: Tx, key_ids: Sequence[str], *, zone: tzinfo, days: int, at: datetime | None = None
) -> dict[str, KeyHistory]:
    """What each key used on each of the last `days` days and in this month, in one query."""
    periods = periods_at(at or clock.now(), zone)
    today, month = periods.starts["day"], periods.starts["month"]
    shown = [today - timedelta(days=ago) for ago in reversed(range(days))]
    keys: list[tuple[Window, date]] = [*(("day", day) for day in shown), ("month", month)]
    rows = [{"who": key_id, "period": window, "since": since} for key_id in key_ids for window, since in keys]
    found = {
        (key_id, window, since): Spent(*numbers)
        for key_id, window, since, *numbers in await statements.BUDGET_SERIES.run(tx, rows)
    }
    nothing = Spent()
    return {
        key_id: KeyHistory(
            days={day: found.get((key_id, "day", day), nothing) for day in shown},
            current={window: found.get((key_id, window, periods.starts[window]), nothing) for window in WINDOWS},
            ends=periods.ends,
        )
        for key_id in key_ids
    }


async def month_of_keys(tx: Tx, key_ids: Sequence[str], month: date) -> dict[str, Spent]:
    """What each key used in the month that begins on `month`, in the calendar of quotas; one query."""
    rows = [{"who": key_id, "period": "month", "since": month} for key_id in key_ids]
    found: Iterable[Any] = await statements.BUDGET_SERIES.run(tx, rows) if rows else ()
    spent = {key_id: Spent(*numbers) for key_id, _window, _since, *numbers in found}
    return {key_id: spent.get(key_id, Spent()) for key_id in key_ids}


def budgets_left(budgets: Budgets, history: KeyHistory) -> Iterator[BudgetLeft]:
    """Every budget of a key, limited or not."""
    for window in WINDOWS:
        spent, (calls, paid) = history.current[window], limits_in(budgets, window)
        yield _left("calls", window, calls, spent.calls, history)
        yield _left("credits", window, paid, spent.credits, history)


def _left(
    kind: Literal["calls", "credits"], window: Window, limit: int | None, used: int, history: KeyHistory
) -> BudgetLeft:
    remaining = None if limit is None else max(0, limit - used)
    return BudgetLeft(kind, window, limit, used, remaining, history.ends[window])
