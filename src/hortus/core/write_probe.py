"""Whether the database accepts writes now."""

from datetime import timedelta

from sqlalchemy import delete, insert, text

from hortus.core import clock, ids
from hortus.core.db import Database, engines
from hortus.core.db.engines import Outage
from hortus.core.errors import Unavailable
from hortus.core.tables import IdempotencyRecord

SCOPE = "write-probe"
FILLER = "0" * 32_000
"""More than fits into pages that are there already: a full disk has room for a change of a row, not for new pages."""


async def find_outage(database: Database) -> Outage | None:
    """What is wrong with the database now; None where it can be read and written.

    A healthy database is only read. After a write failed for the state of the database, rows are written and deleted
    until that succeeds: only then is the outage over. Raises what is no outage, a missing table say.
    """
    try:
        if database.degraded is None and not await _is_read_only(database):
            return None
        return await _write(database) and await _write(database)  # the first may have met a connection of before
    except Unavailable as error:
        return engines.outage(error.__cause__ or error) or "unreachable"


async def _is_read_only(database: Database) -> bool:
    asked = "SELECT 1" if database.dialect == "sqlite" else "SELECT current_setting('transaction_read_only')"
    async with database.snapshot() as tx:
        return str((await tx.execute(text(asked))).scalar_one()) == "on"


async def _write(database: Database) -> Outage | None:
    key = ids.new()
    row = {"scope": SCOPE, "key": key, "fingerprint": "", "status": None, "answer": {"filler": FILLER}}
    expires_at = clock.now() + timedelta(hours=1)
    try:
        async with database.transaction() as tx:
            await tx.execute(insert(IdempotencyRecord).values(**row, expires_at=expires_at))
        async with database.transaction() as tx:
            await tx.execute(
                delete(IdempotencyRecord).where(IdempotencyRecord.scope == SCOPE, IdempotencyRecord.key == key)
            )
    except Unavailable as error:
        return engines.outage(error.__cause__ or error) or "unreachable"
    return None
