"""The only writer of ledger rows, and the history that a user reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from hortus.core import ids
from hortus.core.db import Tx
from hortus.core.db.bulk import SetStatement
from hortus.core.db.paging import Paging, newest_first, page_of
from hortus.ledger.errors import LedgerBroken
from hortus.ledger.tables import Entry

ISSUED = "issued"
"""System account that grants come from: its balance is minus all credit ever given."""
REVENUE = "revenue"
"""System account that settled work pays into."""
EXPIRED = "expired"
"""System account that unspent credit falls to when its time is over."""
CLAWED_BACK = "clawed_back"
"""System account that refunded and disputed credit returns to."""

_APART = timedelta(days=1)
"""More than the clock of a row and the clock of its id are ever apart."""

_POST = SetStatement(
    "INSERT INTO ledger_entries (id, account, amount, kind, reason, reference, grant_id, created_at) "
    "SELECT d.id, d.account, d.amount, d.kind, d.reason, d.reference, d.grant_id, d.created_at FROM {rows}",
    id="text", account="text", amount="bigint", kind="text", reason="text", reference="text", grant_id="text",
    created_at="timestamptz",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Movement:
    """`amount` micro-credits from one account to another, under one reference that happens once."""

    reference: str
    source: str
    target: str
    amount: int
    kind: str
    reason: str = ""
    grant_id: str | None = None


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One line of a user's history. `amount` is in micro-credits: positive came in, negative went out."""

    id: str
    amount: int
    kind: str
    reason: str
    reference: str
    created_at: datetime


async def post(tx: Tx, movements: Sequence[Movement], at: datetime) -> None:
    """Write both sides of each movement. A reference that was used before fails the transaction."""
    rows = [
        {
            "id": ids.new(),
            "account": account,
            "amount": amount,
            "kind": movement.kind,
            "reason": movement.reason,
            "reference": movement.reference,
            "grant_id": movement.grant_id,
            "created_at": at,
        }
        for movement in movements
        if movement.amount
        for account, amount in ((movement.source, -movement.amount), (movement.target, movement.amount))
    ]
    if rows and (await _POST.run(tx, rows)).rowcount != len(rows):
        raise LedgerBroken("not every entry was written")


@dataclass(frozen=True, slots=True)
class Moved:
    """Movements of one kind: how many, and their sum in micro-credits."""

    kind: str
    count: int
    amount: int


async def moved(tx: Tx, user_id: str, start: datetime, end: datetime) -> list[Moved]:
    """What moved on a user's account from `start` until before `end`, by kind; costs as much as that time is long."""
    nearby = (Entry.id >= ids.lowest_at(start - _APART), Entry.id < ids.lowest_at(end + _APART))
    within = (Entry.account == user_id, *nearby, Entry.created_at >= start, Entry.created_at < end)
    query = select(Entry.kind, func.count(), func.sum(Entry.amount)).where(*within)
    rows = await tx.execute(query.group_by(Entry.kind).order_by(Entry.kind))
    return [Moved(kind, count, int(amount)) for kind, count, amount in rows]


async def entries(tx: Tx, user_id: str, paging: Paging) -> tuple[list[EntryLine], str | None]:
    """The user's history, newest first, and the cursor of the next page."""
    query: Any = select(Entry.id, Entry.amount, Entry.kind, Entry.reason, Entry.reference, Entry.created_at)
    rows = await tx.execute(newest_first(query.where(Entry.account == user_id), paging, Entry.id))
    lines = [EntryLine(*row) for row in rows]
    return page_of(lines, paging, lambda line: (line.id,))
