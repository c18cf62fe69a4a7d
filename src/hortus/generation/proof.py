"""The proof that nothing is held for work that has ended."""

from typing import Final

from sqlalchemy import text

from hortus.core.db import Tx
from hortus.core.proofs import Found

AT_MOST: Final = 10_000
_OPEN: Final = text(
    "SELECT count(*) FROM (SELECT 1 FROM credit_reservations WHERE status = 'open' LIMIT :limit) AS open"
)
_IN_VAIN: Final = text(
    "SELECT r.reference, g.status FROM "
    "(SELECT reference FROM credit_reservations WHERE status = 'open' LIMIT :limit) AS r "
    "JOIN generations AS g ON g.id = r.reference WHERE g.status NOT IN ('queued', 'running') LIMIT 20"
)


async def prove_holds(tx: Tx) -> Found:
    """Open reservations of generations that have ended: there are none. Only open ones are read."""
    found = Found(checked=int((await tx.execute(_OPEN, {"limit": AT_MOST})).scalar_one()))
    for reference, status in (await tx.execute(_IN_VAIN, {"limit": AT_MOST})).all():
        found.broken.append(f"credit is held for generation {reference}, which is {status}")
    return found
