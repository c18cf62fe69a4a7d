"""Errors of the ledger."""

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
    """A reservation with this reference exists already, in whatever state."""

    code, title = "already_reserved", "This was reserved before"

    def __init__(self, reference: str) -> None:
        super().__init__("Credits for this were reserved before; read its state.", reference=reference)


class UnknownReservation(NotFound):
    """No reservation has this reference."""

    code = "reservation_not_found"


class UnknownGrant(NotFound):
    """No grant has this reference, or not yet: the event that creates it may still be pending."""

    code = "grant_not_found"


class LedgerBroken(RuntimeError):
    """A row changed despite its lock. The transaction must be rolled back."""
