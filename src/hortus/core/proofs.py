"""What was proved of the data, when, and how it ended: kept in the database, so that every process can tell."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from hortus.core import clock
from hortus.core.db import Tx
from hortus.core.tables import Proof


@dataclass(slots=True)
class Found:
    """One look: what is `broken`, line by line, of how many things `checked`; `reached` is where to go on."""

    broken: list[str] = field(default_factory=list)
    checked: int = 0
    reached: str = ""


@dataclass(frozen=True, slots=True)
class Proved:
    """A look in the past."""

    name: str
    proved_at: datetime
    broken: int
    checked: int
    ms: int


async def note(tx: Tx, name: str, found: Found, ms: int) -> None:
    """Keep the outcome of a proof in place of its last one."""
    values = {
        "proved_at": clock.now(),
        "broken": len(found.broken),
        "checked": found.checked,
        "ms": ms,
        "reached": found.reached,
    }
    first = tx.insert(Proof).values(name=name, **values)
    await tx.execute(first.on_conflict_do_update(index_elements=["name"], set_=values))


async def reached(tx: Tx, name: str) -> str:
    """Where the last stretch of a proof ended; empty at the beginning."""
    return (await tx.execute(select(Proof.reached).where(Proof.name == name))).scalar_one_or_none() or ""


async def last(tx: Tx) -> list[Proved]:
    """Every proof's last outcome."""
    query = select(Proof.name, Proof.proved_at, Proof.broken, Proof.checked, Proof.ms).order_by(Proof.name)
    return [Proved(*row) for row in (await tx.execute(query)).all()]
