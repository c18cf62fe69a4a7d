"""Quota uses: count them against the limits of the user's plan, restore them, and list what is left."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from functools import lru_cache
from typing import Any, cast

from hortus.core import clock
from hortus.core.db import Tx
from hortus.core.db.compiled_select import Executor
from hortus.quotas import statements
from hortus.quotas.errors import AlreadyConsumed, QualityNotInPlan, QuotaBroken, QuotaExceeded, UnknownPlan
from hortus.quotas.windows import WINDOWS, Periods, Window, periods_at

Refusal = QuotaExceeded | QualityNotInPlan | AlreadyConsumed
Key = tuple[str, str, Window]
"""User, kind and window of one usage row of the current periods."""


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """`count` uses of `kind` by one user. A `reference` is counted once."""

    reference: str
    user_id: str
    kind: str
    count: int = 1
    quality: str | None = None
    """The quality that the plan must include; None requires none."""

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("count must be >= 0")


@dataclass(frozen=True, slots=True)
class WindowUsage:
    """One limit: None is unlimited. `resets_at` is when the day or month ends, in UTC."""

    kind: str
    window: Window
    limit: int | None
    used: int
    remaining: int | None
    resets_at: datetime


@dataclass(frozen=True, slots=True)
class PlanUsage:
    """All windows of the user's plan, including unused ones."""

    plan: str
    windows: list[WindowUsage]


async def consume(
    tx: Tx, user_id: str, kind: str, *, reference: str, zone: tzinfo, count: int = 1, at: datetime | None = None
) -> None:
    """Count `count` uses of `kind`. Raises QuotaExceeded or AlreadyConsumed."""
    (problem,) = await consume_many(tx, [QuotaUse(reference, user_id, kind, count)], zone=zone, at=at)
    if problem is not None:
        raise problem


async def consume_many(
    tx: Tx, uses: Sequence[QuotaUse], *, zone: tzinfo, at: datetime | None = None
) -> list[Refusal | None]:
    """Count the uses in order, first come, first served: None where one fits, otherwise the error.

    A use counts in its day and in its month, whichever windows the plan has, so usage survives a change of plan.
    Of N parallel calls against a limit of k, exactly k succeed.
    """
    now = at or clock.now()
    periods = periods_at(clock.whole_minute(now), zone)
    users = [{"id": user_id} for user_id in {use.user_id for use in uses}]
    limits, qualities = _limits_of(await statements.LIMITS.run(tx, users, now=now))
    used = await _lock_usage(tx, {(use.user_id, use.kind) for use in uses}, periods)
    found = await statements.KNOWN.run(tx, [{"id": use.reference} for use in uses])
    known = set(found.scalars())
    answers: list[Refusal | None] = []
    changed: dict[Key, int] = {}
    rows: list[dict[str, Any]] = []
    for use in uses:
        keys: list[Key] = [(use.user_id, use.kind, window) for window in WINDOWS]
        problem: Refusal | None
        if use.reference in known:
            problem = AlreadyConsumed(use.reference)
        elif use.quality is not None and use.quality not in qualities[use.user_id]:
            problem = QualityNotInPlan(use.quality, qualities[use.user_id])
        else:
            problem = _exceeded(use.count, keys, limits, used, periods, now)
        answers.append(problem)
        if problem is None:
            known.add(use.reference)
            rows.append({"reference": use.reference, "user_id": use.user_id, "kind": use.kind, "amount": use.count})
            for key in keys:
                used[key] += use.count
                changed[key] = changed.get(key, 0) + use.count
    counts = [
        {**_row(key, periods.starts[key[2]]), "change": change, "most": limits.get(key)}
        for key, change in sorted(changed.items())
        if change
    ]
    await _count(tx, counts)
    if rows:
        calendar = {"day": periods.starts["day"], "month": periods.starts["month"], "now": now}
        if (await statements.INSERT_USES.run(tx, rows, **calendar)).rowcount != len(rows):
            # Another transaction inserted one of the references after our SELECT; a retry finds out which.
            raise AlreadyConsumed(str(rows[0]["reference"]) if len(rows) == 1 else "")
    return answers


async def restore(tx: Tx, reference: str) -> bool:
    """Subtract a use from the day and month it was counted in. True the first time, otherwise False."""
    return (await restore_many(tx, [reference]))[0]


async def restore_many(tx: Tx, references: Sequence[str]) -> list[bool]:
    """Restore each reference. One that occurs twice is restored at its first occurrence."""
    ids = [{"id": reference} for reference in sorted(set(references))]
    if not ids:
        return []
    if tx.dialect == "postgresql":
        (await statements.LOCK_USES.run(tx, ids)).all()
    restored: set[str] = set()
    changes: dict[tuple[str, str, Window, date], int] = {}
    for reference, user_id, kind, count, day, month in await statements.RESTORE.run(tx, ids):
        restored.add(reference)
        for window, starts_on in zip(WINDOWS, (day, month), strict=True):
            key = (user_id, kind, window, starts_on)
            changes[key] = changes.get(key, 0) - count
    rows = [{**_row(key[:3], key[3]), "change": change} for key, change in sorted(changes.items()) if change]
    if rows:
        (await statements.READ.run(tx, rows)).all()  # locks the rows in order
    await _count(tx, rows)
    answers: list[bool] = []
    for reference in references:
        answers.append(reference in restored)
        restored.discard(reference)
    return answers


async def usage(executor: Executor, user_id: str, *, zone: tzinfo, at: datetime | None = None) -> PlanUsage:
    """The limits of the user's plan, and how much of each is used in the current day and month."""
    now = at or clock.now()
    periods = periods_at(clock.whole_minute(now), zone)
    starts = periods.starts
    rows = await executor.read(statements.USAGE, user_id=user_id, day=starts["day"], month=starts["month"], now=now)
    if not rows:
        raise UnknownPlan("there is no plan `basic`; call ensure_plans at start-up")
    windows: list[WindowUsage] = []
    for _, kind, window, limit, used in rows:
        if kind is not None:
            remaining = None if limit is None else max(0, limit - used)
            windows.append(WindowUsage(kind, window, limit, used, remaining, periods.ends[cast("Window", window)]))
    return PlanUsage(rows[0][0], windows)


def _exceeded(
    count: int, keys: Sequence[Key], limits: Mapping[Key, int], used: Mapping[Key, int], periods: Periods, now: datetime
) -> QuotaExceeded | None:
    # The month is checked first: when both are used up, waiting for the next day does not help.
    for key in reversed(keys):
        limit = limits.get(key)
        if limit is not None and count and used[key] + count > limit:
            _, kind, window = key
            return QuotaExceeded(
                kind=kind, window=window, limit=limit, used=used[key], resets_at=periods.ends[window], now=now
            )
    return None


def _limits_of(rows: Iterable[Any]) -> tuple[dict[Key, int], dict[str, tuple[str, ...]]]:
    """The limits of the users' plans, and the qualities that these include."""
    limits: dict[Key, int] = {}
    included: dict[str, tuple[str, ...]] = {}
    for user_id, plan_id, kind, window, limit, qualities in rows:
        if plan_id is None:
            raise UnknownPlan("there is no plan `basic`; call ensure_plans at start-up")
        if limit is not None:
            limits[user_id, kind, window] = limit
        included[user_id] = _parse_list(qualities)
    return limits, included


@lru_cache(maxsize=256)
def _parse_list(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


async def _lock_usage(tx: Tx, uses: Iterable[tuple[str, str]], periods: Periods) -> dict[Key, int]:
    rows = [
        _row((user_id, kind, window), periods.starts[window]) for user_id, kind in sorted(uses) for window in WINDOWS
    ]
    # Create all rows before locking any, so that concurrent batches lock in the same order.
    await statements.OPEN.run(tx, rows)
    found = await statements.READ.run(tx, rows)
    return {(user_id, kind, window): used for user_id, kind, window, used in found}


async def _count(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows and (await statements.COUNT.run(tx, rows)).rowcount != len(rows):
        raise QuotaBroken(f"expected to update {len(rows)} usage rows, updated fewer")


def _row(key: Key, starts_on: date) -> dict[str, Any]:
    user_id, kind, window = key
    return {"user_id": user_id, "kind": kind, "period": window, "starts_on": starts_on}
