"""Locks and balance updates: every change to accounts and grants is made here.

The order is always the same: lock the accounts by id, read, decide, apply. `apply` updates rows only where the
conditions of its WHERE clauses hold, and raises LedgerBroken when one did not.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hortus.core.db import Tx
from hortus.core.db.bulk import BulkStatement
from hortus.ledger.errors import LedgerBroken

_LOCK = BulkStatement(
    "SELECT user_id, debt FROM credit_accounts WHERE user_id IN (SELECT d.id FROM {rows}) ORDER BY user_id {lock}",
    id="text",
)
_LOCK_SOME = BulkStatement(
    "SELECT user_id, debt FROM credit_accounts WHERE user_id IN (SELECT d.id FROM {rows}) "
    "ORDER BY user_id {skip_locked}",
    id="text",
)
_OPEN = BulkStatement(
    "INSERT INTO credit_accounts (user_id, balance, held, debt) SELECT d.id, 0, 0, 0 FROM {rows} WHERE true "
    "ON CONFLICT (user_id) DO NOTHING",
    id="text",
)
_FREE = BulkStatement(
    "SELECT user_id, id, remaining - held FROM credit_grants "
    "WHERE user_id IN (SELECT d.id FROM {rows}) AND is_open AND remaining > held "
    "AND (expires_at IS NULL OR expires_at > :now) "
    "ORDER BY user_id, priority, expires_at NULLS LAST, id",
    id="text",
)
_ACCOUNTS = BulkStatement(
    "UPDATE credit_accounts AS a SET balance = a.balance + d.balance, held = a.held + d.held, debt = a.debt + d.debt "
    "FROM {rows} WHERE a.user_id = d.id AND a.held + d.held >= 0 AND a.debt + d.debt >= 0 "
    "AND (d.held <= 0 OR a.balance - a.held >= d.held)",
    id="text",
    balance="bigint",
    held="bigint",
    debt="bigint",
)
_GRANTS = BulkStatement(
    "UPDATE credit_grants AS g SET remaining = g.remaining + d.remaining, held = g.held + d.held, "
    "expired = g.expired + d.expired, clawed_back = g.clawed_back + d.clawed_back, "
    "is_open = (g.remaining + d.remaining > 0) "
    "FROM {rows} WHERE g.id = d.id AND g.held + d.held >= 0 AND g.held + d.held <= g.remaining + d.remaining",
    id="text", remaining="bigint", held="bigint", expired="bigint", clawed_back="bigint",
)  # fmt: skip


def _zeros(*names: str) -> Any:
    return defaultdict(lambda: dict.fromkeys(names, 0))


@dataclass(slots=True)
class Changes:
    """Amounts to add to accounts (by user) and to grants (by id)."""

    accounts: dict[str, dict[str, int]] = field(default_factory=lambda: _zeros("balance", "held", "debt"))
    grants: dict[str, dict[str, int]] = field(
        default_factory=lambda: _zeros("remaining", "held", "expired", "clawed_back")
    )

    def account(self, user_id: str, *, balance: int = 0, held: int = 0, debt: int = 0) -> None:
        """Add to an account."""
        row = self.accounts[user_id]
        row["balance"] += balance
        row["held"] += held
        row["debt"] += debt

    def grant(self, id: str, *, remaining: int = 0, held: int = 0, expired: int = 0, clawed_back: int = 0) -> None:
        """Add to a grant."""
        row = self.grants[id]
        row["remaining"] += remaining
        row["held"] += held
        row["expired"] += expired
        row["clawed_back"] += clawed_back


@dataclass(slots=True)
class FreeCredit:
    """Credit of one grant that is neither held nor expired."""

    grant_id: str
    amount: int


async def open_account(tx: Tx, user_id: str) -> None:
    """Insert the user's account row if there is none; safe in parallel."""
    await _OPEN.run(tx, [{"id": user_id}])


async def lock(tx: Tx, user_ids: Iterable[str], *, skip_locked: bool = False) -> dict[str, int]:
    """Lock the accounts in order of id. Returns the debt of each that exists (and was not skipped)."""
    rows = [{"id": user_id} for user_id in sorted(set(user_ids))]
    if not rows:
        return {}
    found = await (_LOCK_SOME if skip_locked else _LOCK).run(tx, rows)
    return {row[0]: row[1] for row in found}


async def free_credit(tx: Tx, user_ids: Collection[str], now: datetime) -> dict[str, list[FreeCredit]]:
    """The credit each user can spend, in the order it is spent. Requires the lock."""
    free: dict[str, list[FreeCredit]] = {user_id: [] for user_id in user_ids}
    if user_ids:
        for user_id, grant_id, amount in await _FREE.run(tx, [{"id": user_id} for user_id in user_ids], now=now):
            free[user_id].append(FreeCredit(grant_id, amount))
    return free


async def apply(tx: Tx, changes: Changes) -> None:
    """Write the changes. Requires the lock. Raises LedgerBroken when a row does not fulfil its conditions."""
    for statement, by_id in ((_GRANTS, changes.grants), (_ACCOUNTS, changes.accounts)):
        rows = [{"id": key, **deltas} for key, deltas in sorted(by_id.items()) if any(deltas.values())]
        if rows and (await statement.run(tx, rows)).rowcount != len(rows):
            raise LedgerBroken(f"expected to update {len(rows)} rows, updated fewer")


def burn(free: list[FreeCredit], amount: int) -> list[FreeCredit]:
    """Spend `amount` from the front of `free`, in place. Returns the part spent of each grant."""
    spent: list[FreeCredit] = []
    for source in free:
        part = min(source.amount, amount)
        if part:
            spent.append(FreeCredit(source.grant_id, part))
            source.amount -= part
            amount -= part
    return spent


async def pay_debts(tx: Tx, debts: dict[str, int], now: datetime) -> None:
    """Pay the users' debts from their free credit, as far as it goes. Requires the lock."""
    owing = {user_id: debt for user_id, debt in debts.items() if debt > 0}
    changes = Changes()
    for user_id, free in (await free_credit(tx, owing, now)).items():
        for part in burn(free, owing[user_id]):
            changes.grant(part.grant_id, remaining=-part.amount)
            changes.account(user_id, debt=-part.amount)
    await apply(tx, changes)
