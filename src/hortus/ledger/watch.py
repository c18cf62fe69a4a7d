"""Who runs low: for whoever tops up or writes to them."""

from collections.abc import Mapping

from hortus.core.db import Tx
from hortus.core.db.bulk import SetStatement
from hortus.core.signals import Signal

granted: Signal[str] = Signal("ledger.granted")
"""Credit came in: the user's id, in the transaction that grants it."""

_BELOW = SetStatement(
    "SELECT a.user_id, a.balance - a.held FROM {rows} JOIN credit_accounts AS a ON a.user_id = d.id "
    "WHERE a.balance - a.held < d.least",
    id="text",
    least="bigint",
)


async def below(tx: Tx, least: Mapping[str, int]) -> dict[str, int]:
    """Of the named users those with less available than `least` says, and how much that is, in micro-credits.

    One query by primary key for all of them. Credit that expired a moment ago may count still.
    """
    rows = [{"id": user_id, "least": amount} for user_id, amount in least.items()]
    if not rows:
        return {}
    return {row[0]: int(row[1]) for row in await _BELOW.run(tx, rows)}
