"""The check that no credit is reserved for a generation that has ended."""

from typing import Final

from sqlalchemy import text

from hortus.core.db import Tx
from hortus.core.invariant_checks import CheckResult

AT_MOST: Final = 10_000
_OPEN: Final = text(
    "SELECT count(*) FROM (SELECT 1 FROM credit_reservations WHERE status = 'open' LIMIT :limit) AS open"
)
_STALE: Final = text(
    "SELECT r.reference, g.status FROM "
    "(SELECT reference FROM credit_reservations WHERE status = 'open' LIMIT :limit) AS r "
    "JOIN generations AS g ON g.id = r.reference WHERE g.status NOT IN ('queued', 'running') LIMIT 20"
)


async def check_holds(tx: Tx) -> CheckResult:
    """Open reservations of generations that have ended are violations. Only open reservations are read."""
    result = CheckResult(checked=int((await tx.execute(_OPEN, {"limit": AT_MOST})).scalar_one()))
    for reference, status in (await tx.execute(_STALE, {"limit": AT_MOST})).all():
        result.violations.append(f"credit is held for generation {reference}, which is {status}")
    return result
