"""The dashboard: series by day and kind, totals and insights."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Integer, String, column, func, select, values

from hortus import quotas
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.core.money import credits_to_text
from hortus.core.settings import Settings
from hortus.generation.tables import Generation, charged_of
from hortus.generation.usage import service
from hortus.generation.usage.schemas import DashboardOut, DayWorksOut, InsightOut, KindWorksOut, WorksOut

KINDS = ("chat", "text", "image", "video")
NEARLY_USED = 0.8
OFTEN_FAILED, ENOUGH = 0.2, 5
"""The insight `often_failed` needs this share of failures among at least so many generations."""


class _Count(NamedTuple):
    day: date
    kind: str
    status: str
    works: int
    credits: int


async def dashboard_of(
    tx: Tx, settings: Settings, user_id: str, days: int, *, at: datetime | None = None
) -> DashboardOut:
    """The last `days` days of a user; reads only the rows of these days."""
    calendar = quotas.days_before(at or clock.now(), settings.zone, days)
    counts = await _count(tx, user_id, calendar)
    usage = await service.usage_of(tx, user_id, settings=settings)
    kinds = [
        KindWorksOut(kind=kind, **_sum([each for each in counts if each.kind == kind]).model_dump()) for kind in KINDS
    ]
    series = [_of_day(day, [each for each in counts if each.day == day]) for day, _, _ in calendar]
    return DashboardOut(
        days=days,
        timezone=settings.quota_timezone,
        totals=_sum(counts),
        kinds=kinds,
        series=series,
        usage=usage,
        insights=list(_insights(kinds, series, usage)),
    )


async def _count(tx: Tx, user_id: str, calendar: Sequence[tuple[date, datetime, datetime]]) -> list[_Count]:
    # A join with the days: their start and length depend on the time zone.
    listed = [(place, ids.lowest_at(start), ids.lowest_at(end)) for place, (_, start, end) in enumerate(calendar)]
    shape = (column("place", Integer), column("low", String), column("high", String))
    day = values(*shape, name="day").data(listed).cte("days")
    query = (
        select(
            day.c.place,
            Generation.kind,
            Generation.status,
            func.count(),
            func.sum(charged_of()),
        )
        .join_from(day, Generation, (Generation.id >= day.c.low) & (Generation.id < day.c.high))
        # Repeated for all days together, so that no query plan reads older rows.
        .where(Generation.user_id == user_id, Generation.id >= listed[0][1], Generation.id < listed[-1][2])
        .group_by(day.c.place, Generation.kind, Generation.status)
    )
    rows = (await tx.execute(query)).all()
    return [_Count(calendar[place][0], kind, status, works, int(paid)) for place, kind, status, works, paid in rows]


def _sum(counts: Sequence[_Count]) -> WorksOut:
    def of(status: str) -> int:
        return sum(each.works for each in counts if each.status == status)

    succeeded, failed = of("succeeded"), of("failed")
    return WorksOut(
        works=sum(each.works for each in counts),
        succeeded=succeeded,
        failed=failed,
        cancelled=of("cancelled"),
        success_rate=round(succeeded / (succeeded + failed), 4) if succeeded + failed else None,
        credits=sum(each.credits for each in counts),
    )


def _of_day(day: date, counts: Sequence[_Count]) -> DayWorksOut:
    works = {kind: sum(each.works for each in counts if each.kind == kind) for kind in KINDS}
    return DayWorksOut(date=day, works=works, credits=sum(each.credits for each in counts))


def _insights(
    kinds: Sequence[KindWorksOut], series: Sequence[DayWorksOut], usage: dict[str, Any]
) -> Iterator[InsightOut]:
    busiest = max(series, key=lambda day: sum(day.works.values()))
    if most := sum(busiest.works.values()):
        yield InsightOut(code="busiest_day", detail=f"Your busiest day was {busiest.date}, with {most} works.")
    dearest = max(kinds, key=lambda kind: kind.credits)
    if dearest.credits:
        spent = credits_to_text(dearest.credits)
        yield InsightOut(code="most_spent", detail=f"You spent most on {dearest.kind}: {spent} credits.")
    for kind in kinds:
        tried = kind.succeeded + kind.failed
        if tried >= ENOUGH and kind.failed / tried >= OFTEN_FAILED:
            detail = f"{kind.failed} of {tried} generations of kind {kind.kind} failed; failed ones cost nothing."
            yield InsightOut(code="often_failed", detail=detail)
    for window in usage["windows"]:
        if window["limit"] and window["used"] / window["limit"] >= NEARLY_USED:
            detail = (
                f"{window['used']} of {window['limit']} for {window['kind']} are used this {window['window']}; "
                f"it starts anew at {window['resets_at']}."
            )
            yield InsightOut(code="quota_nearly_used", detail=detail)
    if (paid := sum(day.credits for day in series)) > 0:
        left = int(usage["credits"]["available"]) * len(series) // paid
        if left < len(series):
            yield InsightOut(code="credits_run_out", detail=f"At this pace your credits last {max(left, 0)} more days.")
