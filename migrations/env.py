"""Runs the migrations inside one transaction per upgrade, on SQLite and PostgreSQL."""

import asyncio
import random

import structlog
from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from hortus.core.db import Database
from hortus.core.db.engines import RETRYABLE, ConnectionProfile, sqlstate

LOCK = 4_807_526_976  # any number, the same for every process that migrates
TRIES = 20
PROFILE = ConnectionProfile(role="migration", lock=3)
log = structlog.get_logger()


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, render_as_batch=True)
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            # Wait without limit for another migration, but not for a table lock: queries that arrive later
            # would queue behind this one.
            connection.execute(text("SELECT set_config('lock_timeout', '0', true)"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            times = {"lock": str(round(connection_profile().lock * 1000))}
            connection.execute(text("SELECT set_config('lock_timeout', :lock, true)"), times)
        context.run_migrations()


def connection_profile() -> ConnectionProfile:
    return context.config.attributes.get("connection_profile", PROFILE)


async def connect() -> None:
    database = Database(context.config.attributes["url"], profile=connection_profile())
    try:
        for tried in range(1, TRIES + 1):
            try:
                async with database.engine.connect() as connection:
                    await connection.run_sync(migrate)
                    await connection.commit()
                return
            except DBAPIError as error:
                if sqlstate(error) not in RETRYABLE | {"55P03"} or tried == TRIES:
                    raise
                log.info("migration_steps_back", tried=tried, reason=str(error.orig)[:200])
            await asyncio.sleep(random.uniform(0.5, 1.5))  # noqa: S311 - spreads tries, guards nothing
    finally:
        await database.close()


asyncio.run(connect())
