"""Usage of API keys per day and month, and what is left of their budgets."""

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
class KeyUsage:
    """Usage of a key in one day or month: accepted calls, and the calls and credits that count against its budgets."""

    accepted: int = 0
    calls: int = 0
    credits: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class KeyHistory:
    """Usage of a key: the last days, oldest first, and the current day and month with the times they end."""

    days: dict[date, KeyUsage]
    current: dict[Window, KeyUsage]
    ends: dict[Window, datetime]


@dataclass(frozen=True, slots=True)
class BudgetLeft:
    """One budget in its current day or month; a null limit is unlimited. Credits are micro-credits."""

    kind: Literal["calls", "credits"]
    window: Window
    limit: int | None
    used: int
    remaining: int | None
    resets_at: datetime


async def histories(
    tx: Tx, key_ids: Sequence[str], *, zone: tzinfo, days: int, at: datetime | None = None
) -> dict[str, KeyHistory]:
    """Usage of each key on each of the last `days` days and in this month, in one query."""
    periods = periods_at(clock.whole_minute(at or clock.now()), zone)
    today, month = periods.starts["day"], periods.starts["month"]
    shown = [today - timedelta(days=ago) for ago in reversed(range(days))]
    keys: list[tuple[Window, date]] = [*(("day", day) for day in shown), ("month", month)]
    rows = [{"key_id": key_id, "period": window, "starts_on": since} for key_id in key_ids for window, since in keys]
    found = {
        (key_id, window, since): KeyUsage(*numbers)
        for key_id, window, since, *numbers in await statements.BUDGET_SERIES.run(tx, rows)
    }
    nothing = KeyUsage()
    return {
        key_id: KeyHistory(
            days={day: found.get((key_id, "day", day), nothing) for day in shown},
            current={window: found.get((key_id, window, periods.starts[window]), nothing) for window in WINDOWS},
            ends=periods.ends,
        )
        for key_id in key_ids
    }


async def month_of_keys(tx: Tx, key_ids: Sequence[str], month: date) -> dict[str, KeyUsage]:
    """Usage of each key in the month that begins on `month`, in the calendar of quotas, in one query."""
    rows = [{"key_id": key_id, "period": "month", "starts_on": month} for key_id in key_ids]
    found: Iterable[Any] = await statements.BUDGET_SERIES.run(tx, rows) if rows else ()
    usage = {key_id: KeyUsage(*numbers) for key_id, _window, _since, *numbers in found}
    return {key_id: usage.get(key_id, KeyUsage()) for key_id in key_ids}


def budgets_left(budgets: Budgets, history: KeyHistory) -> Iterator[BudgetLeft]:
    """All budgets of a key, including unlimited ones."""
    for window in WINDOWS:
        usage, (calls, amount) = history.current[window], limits_in(budgets, window)
        yield _left("calls", window, calls, usage.calls, history)
        yield _left("credits", window, amount, usage.credits, history)


def _left(
    kind: Literal["calls", "credits"], window: Window, limit: int | None, used: int, history: KeyHistory
) -> BudgetLeft:
    remaining = None if limit is None else max(0, limit - used)
    return BudgetLeft(kind, window, limit, used, remaining, history.ends[window])
