"""The migrations make the schema that the code expects, and the ledger cannot be rewritten."""

import asyncio
import shutil
from pathlib import Path

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from hortus.core.db import Database
from hortus.core.db.engines import ConnectionProfile
from hortus.core.db.search import is_compared
from hortus.main.tables import metadata
from hortus.ops.migrations import config, folder, head


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
        await ledger.grant_signup_bonus(tx, "u" * 36)
    with pytest.raises(DBAPIError, match="append-only"):
        async with database.transaction() as tx:
            await tx.execute(text(statement))


NEXT = f"""
revision = "r9999"
down_revision = "{head()}"


def upgrade():
    pass
"""


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_migration_gives_up_a_lock_that_is_held_and_tries_again(database_url: str, tmp_path: Path):
    """If it waited in the queue for the lock, every reader of the table would wait behind it."""
    made = config(database_url)
    made.attributes["connection_profile"] = ConnectionProfile(role="migration", lock=0.2)
    shutil.copytree(folder(), tmp_path / "migrations")
    (tmp_path / "migrations" / "versions" / "9999_next.py").write_text(NEXT)
    made.set_main_option("script_location", str(tmp_path / "migrations"))
    database = Database(database_url)
    async with database.engine.begin() as connection:
        await connection.execute(text("DROP SCHEMA public CASCADE"))
        await connection.execute(text("CREATE SCHEMA public"))
    await asyncio.to_thread(command.upgrade, made, head())
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
