"""What can go wrong with credits."""

from hortus.core.errors import Conflict, NotFound, Problem

UPGRADE_URL = "/api/payment/plans"


class InsufficientCredits(Problem):
    """The available credits do not cover the price. `needed` and `available` are micro-credits."""

    code, status, title = "insufficient_credits", 402, "Not enough credits"
    detail = "Buy credits or a plan at `upgrade_url`, or choose something cheaper."

    def __init__(self, needed: int, available: int) -> None:
        super().__init__(needed=str(needed), available=str(available), upgrade_url=UPGRADE_URL)
        self.needed = needed
        self.available = available


class AlreadyReserved(Conflict):
    """A reservation with this reference was made before, whatever became of it."""

    code, title = "already_reserved", "This was reserved before"

    def __init__(self, reference: str) -> None:
        super().__init__("Credits for this were reserved before; read its state.", reference=reference)


class UnknownReservation(NotFound):
    """No reservation bears this reference."""

    code = "reservation_not_found"


class UnknownGrant(NotFound):
    """No grant bears this reference (yet: the event that makes it may still be on its way)."""

    code = "grant_not_found"


class LedgerBroken(RuntimeError):
    """A row changed under its lock. Nothing of the transaction may be committed."""
