"""The migrations make the schema that the code expects, and the ledger cannot be rewritten."""

import asyncio

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from hortus.core.db import Database
from hortus.core.engines import Manners
from hortus.core.search import is_compared
from hortus.main.schema import config
from hortus.main.tables import metadata


def differences(connection: Connection) -> list:
    return compare_metadata(
        MigrationContext.configure(connection, opts={"compare_type": True, "include_object": is_compared}), metadata
    )


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


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_migration_steps_back_for_who_has_the_table_and_tries_again(database_url: str):
    """Were it to wait in the queue for the lock, everybody who reads the table would wait behind it."""
    made = config(database_url)
    made.attributes["manners"] = Manners(role="migration", lock=0.2)
    database = Database(database_url)
    async with database.engine.begin() as connection:
        await connection.execute(text("DROP SCHEMA public CASCADE"))
        await connection.execute(text("CREATE SCHEMA public"))
    _newest, one_before, *_ = ScriptDirectory.from_config(made).walk_revisions()
    await asyncio.to_thread(command.upgrade, made, one_before.revision)
    holder = await asyncpg.connect(database_url)
    async with holder.transaction():
        await holder.execute("SELECT version_num FROM alembic_version FOR UPDATE")
        going = asyncio.create_task(asyncio.to_thread(command.upgrade, made, "head"))
        waited = (
            "SELECT 1 FROM pg_stat_activity "
            "WHERE application_name LIKE 'hortus migration%' AND wait_event_type = 'Lock'"
        )
        async with asyncio.timeout(30), database.engine.connect() as watcher:
            while not (await watcher.execute(text(waited))).first():
                await watcher.rollback()
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)  # longer than it may wait for the lock
        assert not going.done()
    await going
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await holder.close()
    await database.close()
