"""Credits in micro-credits: grants, reservations, settlements, clawbacks, and the double-entry ledger behind them.

Every function works in the caller's transaction and never commits.
"""

from hortus.ledger.balances import Balance, balance
from hortus.ledger.entries import EntryLine, LedgerChange, changes_by_kind, entries
from hortus.ledger.errors import AlreadyReserved, InsufficientCredits, LedgerBroken, UnknownGrant, UnknownReservation
from hortus.ledger.grants import (
    PRIORITY_BOUGHT,
    PRIORITY_GIFT,
    PRIORITY_PLAN,
    PRIORITY_SIGNUP_BONUS,
    SIGNUP_BONUS,
    claw_back,
    end_grant,
    expire_grants,
    grant,
    grant_signup_bonus,
)
from hortus.ledger.invariants import check_invariants, check_some_invariants
from hortus.ledger.low_balance import granted, users_below
from hortus.ledger.reservations import (
    Hold,
    Release,
    Settlement,
    close_many,
    expire_reservations,
    release,
    reserve,
    reserve_many,
    settle,
)

__all__ = [
    "PRIORITY_BOUGHT",
    "PRIORITY_GIFT",
    "PRIORITY_PLAN",
    "PRIORITY_SIGNUP_BONUS",
    "SIGNUP_BONUS",
    "AlreadyReserved",
    "Balance",
    "EntryLine",
    "Hold",
    "InsufficientCredits",
    "LedgerBroken",
    "LedgerChange",
    "Release",
    "Settlement",
    "UnknownGrant",
    "UnknownReservation",
    "balance",
    "changes_by_kind",
    "check_invariants",
    "check_some_invariants",
    "claw_back",
    "close_many",
    "end_grant",
    "entries",
    "expire_grants",
    "expire_reservations",
    "grant",
    "grant_signup_bonus",
    "granted",
    "release",
    "reserve",
    "reserve_many",
    "settle",
    "users_below",
]
