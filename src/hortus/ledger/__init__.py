"""Credits: all arithmetic of what users have, hold and spend, in micro-credits.

Every verb works in the caller's transaction and never commits.
"""

from hortus.ledger.balances import Balance, balance
from hortus.ledger.entries import EntryLine, Moved, entries, moved
from hortus.ledger.errors import AlreadyReserved, InsufficientCredits, LedgerBroken, UnknownGrant, UnknownReservation
from hortus.ledger.grants import (
    PRIORITY_BOUGHT,
    PRIORITY_GIFT,
    PRIORITY_PLAN,
    PRIORITY_WELCOME,
    WELCOME_AMOUNT,
    claw_back,
    end_grant,
    expire_grants,
    grant,
    grant_welcome,
)
from hortus.ledger.proof import prove, prove_some
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
from hortus.ledger.watch import below, granted

__all__ = [
    "PRIORITY_BOUGHT",
    "PRIORITY_GIFT",
    "PRIORITY_PLAN",
    "PRIORITY_WELCOME",
    "WELCOME_AMOUNT",
    "AlreadyReserved",
    "Balance",
    "EntryLine",
    "Hold",
    "InsufficientCredits",
    "LedgerBroken",
    "Moved",
    "Release",
    "Settlement",
    "UnknownGrant",
    "UnknownReservation",
    "balance",
    "below",
    "claw_back",
    "close_many",
    "end_grant",
    "entries",
    "expire_grants",
    "expire_reservations",
    "grant",
    "grant_welcome",
    "granted",
    "moved",
    "prove",
    "prove_some",
    "release",
    "reserve",
    "reserve_many",
    "settle",
]
