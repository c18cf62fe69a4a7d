"""Count uses against the limits of the plan, give them back, and show them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from functools import lru_cache
from typing import Any, cast

from hortus.core import clock
from hortus.core.db import Tx
from hortus.core.reads import Source
from hortus.quotas import statements
from hortus.quotas.errors import AlreadyTaken, QualityNotInPlan, QuotaBroken, QuotaExceeded, UnknownPlan
from hortus.quotas.windows import WINDOWS, Periods, Window, periods_at

Refusal = QuotaExceeded | QualityNotInPlan | AlreadyTaken
Key = tuple[str, str, Window]
"""User, kind and window of one usage row of the current periods."""


@dataclass(frozen=True, slots=True)
class Take:
    """A wish to use `count` of `kind` under a reference that counts once."""

    reference: str
    user_id: str
    kind: str
    count: int = 1
    quality: str | None = None
    """The quality that the plan must bring; None asks for none."""

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("nobody takes less than nothing")


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
    """Every window of the user's plan, used or not."""

    plan: str
    windows: list[WindowUsage]


async def take(
    tx: Tx, user_id: str, kind: str, *, reference: str, zone: tzinfo, count: int = 1, at: datetime | None = None
) -> None:
    """Count one use; raises QuotaExceeded or AlreadyTaken."""
    (problem,) = await take_many(tx, [Take(reference, user_id, kind, count)], zone=zone, at=at)
    if problem is not None:
        raise problem


async def take_many(tx: Tx, takes: Sequence[Take], *, zone: tzinfo, at: datetime | None = None) -> list[Refusal | None]:
    """Count each in turn: first come, first served. None where it fits, otherwise why not.

    A use counts in its day and in its month, whatever windows the plan has, so that changing
    the plan loses nothing. N parallel calls against a limit of k let exactly k through.
    """
    now = at or clock.now()
    periods = periods_at(now, zone)
    limits, brings = await _limits(tx, {take.user_id for take in takes}, now)
    used = await _lock_usage(tx, {(take.user_id, take.kind) for take in takes}, periods)
    found = await statements.KNOWN.run(tx, [{"id": take.reference} for take in takes])
    known = set(found.scalars())
    answers: list[Refusal | None] = []
    changed: dict[Key, int] = {}
    rows: list[dict[str, Any]] = []
    for take in takes:
        keys: list[Key] = [(take.user_id, take.kind, window) for window in WINDOWS]
        problem: Refusal | None
        if take.reference in known:
            problem = AlreadyTaken(take.reference)
        elif take.quality is not None and take.quality not in brings[take.user_id]:
            problem = QualityNotInPlan(take.quality, brings[take.user_id])
        else:
            problem = _exceeded(take.count, keys, limits, used, periods, now)
        answers.append(problem)
        if problem is None:
            known.add(take.reference)
            rows.append({"id": take.reference, "who": take.user_id, "what": take.kind, "number": take.count})
            for key in keys:
                used[key] += take.count
                changed[key] = changed.get(key, 0) + take.count
    counts = [
        {**_row(key, periods.starts[key[2]]), "change": change, "most": limits.get(key)}
        for key, change in sorted(changed.items())
        if change
    ]
    await _count(tx, counts)
    if rows:
        calendar = {"day": periods.starts["day"], "month": periods.starts["month"], "now": now}
        if (await statements.INSERT_TAKES.run(tx, rows, **calendar)).rowcount != len(rows):
            # Another transaction took one of the references since we looked; a repeat will see which.
            raise AlreadyTaken(str(rows[0]["id"]) if len(rows) == 1 else "")
    return answers


async def give_back(tx: Tx, reference: str) -> bool:
    """Take a use off the day and month it was counted in; True the first time, otherwise False."""
    return (await give_back_many(tx, [reference]))[0]


async def give_back_many(tx: Tx, references: Sequence[str]) -> list[bool]:
    """`give_back` for each; a reference that comes twice is given back at the first."""
    ids = [{"id": reference} for reference in sorted(set(references))]
    if not ids:
        return []
    if tx.dialect == "postgresql":
        (await statements.LOCK_TAKES.run(tx, ids)).all()
    open_references: set[str] = set()
    changes: dict[tuple[str, str, Window, date], int] = {}
    for reference, user_id, kind, count, day, month in await statements.GIVE_BACK.run(tx, ids):
        open_references.add(reference)
        for window, since in zip(WINDOWS, (day, month), strict=True):
            key = (user_id, kind, window, since)
            changes[key] = changes.get(key, 0) - count
    rows = [{**_row(key[:3], key[3]), "change": change} for key, change in sorted(changes.items()) if change]
    if rows:
        (await statements.READ.run(tx, rows)).all()  # locks them in order
    await _count(tx, rows)
    answers: list[bool] = []
    for reference in references:
        answers.append(reference in open_references)
        open_references.discard(reference)
    return answers


async def usage(source: Source, user_id: str, *, zone: tzinfo, at: datetime | None = None) -> PlanUsage:
    """What the user's plan allows and what is used of it in the current day and month."""
    now = at or clock.now()
    periods = periods_at(now, zone)
    starts = periods.starts
    rows = await source.read(statements.USAGE, user_id=user_id, day=starts["day"], month=starts["month"], now=now)
    if not rows:
        raise UnknownPlan("there is no plan `basic`: run ensure_plans at start-up")
    windows: list[WindowUsage] = []
    for _, kind, window, limit, used in rows:
        if kind is not None:
            remaining = None if limit is None else max(0, limit - used)
            windows.append(WindowUsage(kind, window, limit, used, remaining, periods.ends[cast("Window", window)]))
    return PlanUsage(rows[0][0], windows)


def _exceeded(
    count: int, keys: Sequence[Key], limits: Mapping[Key, int], used: Mapping[Key, int], periods: Periods, now: datetime
) -> QuotaExceeded | None:
    # The month comes last: when both are full, waiting for the day would not help.
    for key in reversed(keys):
        limit = limits.get(key)
        if limit is not None and count and used[key] + count > limit:
            _, kind, window = key
            return QuotaExceeded(
                kind=kind, window=window, limit=limit, used=used[key], resets_at=periods.ends[window], now=now
            )
    return None


async def _limits(tx: Tx, user_ids: Iterable[str], now: datetime) -> tuple[dict[Key, int], dict[str, tuple[str, ...]]]:
    """The limits of the users' plans, and the qualities that these bring."""
    limits: dict[Key, int] = {}
    brings: dict[str, tuple[str, ...]] = {}
    rows = [{"id": user_id} for user_id in user_ids]
    for user_id, plan_id, kind, window, limit, qualities in await statements.LIMITS.run(tx, rows, now=now):
        if plan_id is None:
            raise UnknownPlan("there is no plan `basic`: run ensure_plans at start-up")
        if limit is not None:
            limits[user_id, kind, window] = limit
        brings[user_id] = _read_list(qualities)
    return limits, brings


@lru_cache(maxsize=256)
def _read_list(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


async def _lock_usage(tx: Tx, uses: Iterable[tuple[str, str]], periods: Periods) -> dict[Key, int]:
    rows = [
        _row((user_id, kind, window), periods.starts[window]) for user_id, kind in sorted(uses) for window in WINDOWS
    ]
    # All rows exist before any is locked, so that two batches always lock in the same order.
    await statements.OPEN.run(tx, rows)
    found = await statements.READ.run(tx, rows)
    return {(user_id, kind, window): used for user_id, kind, window, used in found}


async def _count(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows and (await statements.COUNT.run(tx, rows)).rowcount != len(rows):
        raise QuotaBroken(f"{len(rows)} usage rows were expected to change, and not all did")


def _row(key: Key, since: date) -> dict[str, Any]:
    user_id, kind, window = key
    return {"who": user_id, "what": kind, "period": window, "since": since}
