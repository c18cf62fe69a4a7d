"""Runs the migrations inside one transaction per upgrade, on SQLite and PostgreSQL."""

import asyncio

from alembic import context
from sqlalchemy import Connection, text

from hortus.core.db import Database
from hortus.main.tables import metadata

LOCK = 4_807_526_976  # any number, the same for every process that migrates


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, compare_type=True)
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        context.run_migrations()


async def connect() -> None:
    database = Database(context.config.attributes["url"])
    async with database.engine.connect() as connection:
        await connection.run_sync(migrate)
        await connection.commit()
    await database.close()


asyncio.run(connect())
