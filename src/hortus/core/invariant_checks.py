"""Results of invariant checks, stored in the database so that every process reports the same ones."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from hortus.core import clock
from hortus.core.db import Tx
from hortus.core.tables import InvariantCheck


@dataclass(slots=True)
class CheckResult:
    """The outcome of one run: a line for each violation, the number of rows checked, and where the next run begins."""

    violations: list[str] = field(default_factory=list)
    checked: int = 0
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class LastCheck:
    """The last run of a check, as the metrics show it."""

    name: str
    checked_at: datetime
    violations: int
    checked: int
    ms: int


async def store(tx: Tx, name: str, result: CheckResult, ms: int) -> None:
    """Store the result of a check in place of its last one."""
    values = {
        "checked_at": clock.now(),
        "violations": len(result.violations),
        "checked": result.checked,
        "ms": ms,
        "cursor": result.cursor,
    }
    first = tx.insert(InvariantCheck).values(name=name, **values)
    await tx.execute(first.on_conflict_do_update(index_elements=["name"], set_=values))


async def cursor_of(tx: Tx, name: str) -> str:
    """Where the last run of a check ended; empty at the beginning."""
    query = select(InvariantCheck.cursor).where(InvariantCheck.name == name)
    return (await tx.execute(query)).scalar_one_or_none() or ""


async def last(tx: Tx) -> list[LastCheck]:
    """The last result of every check."""
    row = InvariantCheck
    query = select(row.name, row.checked_at, row.violations, row.checked, row.ms).order_by(row.name)
    return [LastCheck(*each) for each in (await tx.execute(query)).all()]
