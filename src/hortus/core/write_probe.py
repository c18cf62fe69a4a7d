"""A probe of the database: whether it can be read and written."""

from datetime import timedelta

from sqlalchemy import delete, insert, text

from hortus.core import clock, ids
from hortus.core.db import Database, engines
from hortus.core.db.engines import Outage
from hortus.core.errors import ServiceUnavailable
from hortus.core.tables import IdempotencyRecord

SCOPE = "write-probe"
FILLER = "0" * 32_000
"""More than fits into existing pages: on a full disk a row can be updated, but no page added."""


async def find_outage(database: Database) -> Outage | None:
    """The current outage of the database; None if it can be read and written.

    A healthy database is only read. After an outage failed a write, rows are written and deleted until that succeeds,
    which ends the outage. Other errors, such as a missing table, are raised.
    """
    try:
        if database.degraded is None and not await _is_read_only(database):
            return None
        return await _write(database) and await _write(database)  # the first may have used an old connection
    except ServiceUnavailable as error:
        return engines.outage(error.__cause__ or error) or "unreachable"


async def _is_read_only(database: Database) -> bool:
    query = "SELECT 1" if database.dialect == "sqlite" else "SELECT current_setting('transaction_read_only')"
    async with database.snapshot() as tx:
        return str((await tx.execute(text(query))).scalar_one()) == "on"


async def _write(database: Database) -> Outage | None:
    key = ids.new()
    row = {"scope": SCOPE, "key": key, "fingerprint": "", "status": None, "response": {"filler": FILLER}}
    expires_at = clock.now() + timedelta(hours=1)
    try:
        async with database.transaction() as tx:
            await tx.execute(insert(IdempotencyRecord).values(**row, expires_at=expires_at))
        async with database.transaction() as tx:
            await tx.execute(
                delete(IdempotencyRecord).where(IdempotencyRecord.scope == SCOPE, IdempotencyRecord.key == key)
            )
    except ServiceUnavailable as error:
        return engines.outage(error.__cause__ or error) or "unreachable"
    return None
