"""Ledger entries: the only INSERT into the ledger, and the history of a user."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from hortus.core import ids
from hortus.core.db import Tx
from hortus.core.db.bulk import BulkStatement
from hortus.core.db.paging import PageRequest, newest_first, page_of
from hortus.ledger.errors import LedgerBroken
from hortus.ledger.tables import Entry

ISSUED = "issued"
"""System account that grants are paid from: its balance is the negative of all credit ever granted."""
REVENUE = "revenue"
"""System account that receives settlements."""
EXPIRED = "expired"
"""System account that receives credit that expired unspent."""
CLAWED_BACK = "clawed_back"
"""System account that receives credit clawed back for refunds and disputes."""

_CLOCK_SKEW = timedelta(days=1)
"""Upper bound of the difference between `created_at` of a row and the time in its id."""

_POST = BulkStatement(
    "INSERT INTO ledger_entries (id, account, amount, kind, reason, reference, grant_id, created_at) "
    "SELECT d.id, d.account, d.amount, d.kind, d.reason, d.reference, d.grant_id, d.created_at FROM {rows}",
    id="text", account="text", amount="bigint", kind="text", reason="text", reference="text", grant_id="text",
    created_at="timestamptz",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Movement:
    """A transfer of `amount` micro-credits between two accounts. A reference is posted once."""

    reference: str
    source: str
    target: str
    amount: int
    kind: str
    reason: str = ""
    grant_id: str | None = None


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One line of a user's history. `amount` is in micro-credits: positive is a credit, negative a debit."""

    id: str
    amount: int
    kind: str
    reason: str
    reference: str
    created_at: datetime


async def post(tx: Tx, movements: Sequence[Movement], at: datetime) -> None:
    """Insert both entries of each movement. A reference that was posted before fails the transaction."""
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
        raise LedgerBroken(f"expected to insert {len(rows)} entries, inserted fewer")


@dataclass(frozen=True, slots=True)
class LedgerChange:
    """Number and sum, in micro-credits, of the entries of one kind."""

    kind: str
    count: int
    amount: int


async def changes_by_kind(tx: Tx, user_id: str, start: datetime, end: datetime) -> list[LedgerChange]:
    """Entries of a user's account from `start` until before `end`, summed by kind; reads the entries of that time."""
    nearby = (Entry.id >= ids.lowest_at(start - _CLOCK_SKEW), Entry.id < ids.lowest_at(end + _CLOCK_SKEW))
    within = (Entry.account == user_id, *nearby, Entry.created_at >= start, Entry.created_at < end)
    query = select(Entry.kind, func.count(), func.sum(Entry.amount)).where(*within)
    rows = await tx.execute(query.group_by(Entry.kind).order_by(Entry.kind))
    return [LedgerChange(kind, count, int(amount)) for kind, count, amount in rows]


async def entries(tx: Tx, user_id: str, paging: PageRequest) -> tuple[list[EntryLine], str | None]:
    """The user's history, newest first, and the cursor of the next page."""
    query: Any = select(Entry.id, Entry.amount, Entry.kind, Entry.reason, Entry.reference, Entry.created_at)
    rows = await tx.execute(newest_first(query.where(Entry.account == user_id), paging, Entry.id))
    lines = [EntryLine(*row) for row in rows]
    return page_of(lines, paging, lambda line: (line.id,))
