"""Low balances: users below a threshold, for auto top-up and low balance emails."""

from collections.abc import Mapping

from hortus.core.db import Tx
from hortus.core.db.bulk import BulkStatement
from hortus.core.signals import Signal

granted: Signal[str] = Signal("ledger.granted")
"""Sent with the user's id, in the transaction that grants credit."""

_BELOW = BulkStatement(
    "SELECT a.user_id, a.balance - a.held FROM {rows} JOIN credit_accounts AS a ON a.user_id = d.id "
    "WHERE a.balance - a.held < d.threshold",
    id="text",
    threshold="bigint",
)


async def users_below(tx: Tx, thresholds: Mapping[str, int]) -> dict[str, int]:
    """Users with less available credit than their threshold, and the available amount, in micro-credits.

    One query by primary key. Includes credit that expired but whose expiry is not booked yet.
    """
    rows = [{"id": user_id, "threshold": amount} for user_id, amount in thresholds.items()]
    if not rows:
        return {}
    return {row[0]: int(row[1]) for row in await _BELOW.run(tx, rows)}
