"""Answers of the usage routes."""

from datetime import date
from typing import Any

from pydantic import BaseModel

from hortus.core.schemas import MicroCredits, Time


class DayOut(BaseModel):
    """One calendar day of a key: accepted calls, how many of them failed, and credits charged or held."""

    date: date
    calls: int
    failures: int
    credits: MicroCredits


class BudgetOut(BaseModel):
    """One budget of a key in its current day or month; a null limit does not limit. Credits come as text."""

    kind: str
    window: str
    limit: int | str | None
    used: int | str
    remaining: int | str | None
    resets_at: Time


class KeyUsageOut(BaseModel):
    """One key: its last days, oldest first, their sum, and its budgets."""

    id: str
    name: str
    prefix: str
    calls: int
    failures: int
    credits: MicroCredits
    days: list[DayOut]
    budgets: list[BudgetOut]


class KeysUsageOut(BaseModel):
    """Every key of a user, oldest first, and the sum of them all."""

    days: int
    calls: int
    failures: int
    credits: MicroCredits
    items: list[KeyUsageOut]


class WorksOut(BaseModel):
    """Generations accepted in a period: their number, how they ended, and the credits of the succeeded ones."""

    works: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    success_rate: float | None = None
    """Succeeded of those that succeeded or failed, 0 to 1; null while there are none."""
    credits: MicroCredits = 0


class KindWorksOut(WorksOut):
    """Generations of one kind."""

    kind: str


class DayWorksOut(BaseModel):
    """One calendar day: generations by kind, and the credits of the succeeded ones."""

    date: date
    works: dict[str, int]
    credits: MicroCredits


class InsightOut(BaseModel):
    """An insight: a stable code and a sentence."""

    code: str
    detail: str


class DashboardOut(BaseModel):
    """The last days of one user, today included, in the calendar of quotas; days oldest first, none left out."""

    days: int
    timezone: str
    totals: WorksOut
    kinds: list[KindWorksOut]
    series: list[DayWorksOut]
    usage: dict[str, Any]
    """As `GET /api/user/usage` answers."""
    insights: list[InsightOut]
