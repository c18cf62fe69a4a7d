"""What people see of the use of their API keys."""

from datetime import date

from pydantic import BaseModel

from hortus.core.schemas import MicroCredits, Time


class DayOut(BaseModel):
    """One calendar day of a key: accepted calls, how many of them failed, and what was paid or is held."""

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
