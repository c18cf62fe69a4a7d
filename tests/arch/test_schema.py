"""The migrations make the schema that the code expects, and the ledger cannot be rewritten."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from hortus.core.db import Database
from hortus.main.tables import metadata


def differences(connection: Connection) -> list:
    return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)


async def test_migrations_and_tables_agree(database: Database):
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


@pytest.mark.parametrize("statement", ["UPDATE ledger_entries SET amount = 0", "DELETE FROM ledger_entries"])
async def test_the_ledger_is_append_only(database: Database, statement: str):
    from hortus import ledger

    async with database.transaction() as tx:
        await ledger.grant_welcome(tx, "u" * 36)
    with pytest.raises(DBAPIError, match="append-only"):
        async with database.transaction() as tx:
            await tx.execute(text(statement))
