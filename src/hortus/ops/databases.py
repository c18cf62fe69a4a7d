"""The database as each kind of process opens it: its pool, its times, its name."""

from typing import Literal

from hortus.core.db import Database
from hortus.core.db.engines import ConnectionProfile
from hortus.core.settings import Settings

Role = Literal["server", "worker", "migration", "console"]


def connection_profile(settings: Settings, role: Role) -> ConnectionProfile:
    """The connection profile of this role. Consoles and migrations have no statement timeout."""
    statement = {
        "server": settings.database_statement_seconds,
        "worker": settings.database_worker_statement_seconds,
        "migration": 0.0,
        "console": 0.0,
    }[role]
    migrates = role == "migration"
    return ConnectionProfile(
        role=role,
        statement=statement,
        lock=settings.database_migration_lock_seconds if migrates else settings.database_lock_seconds,
        idle=0 if migrates else settings.database_idle_seconds,
        overflow=settings.database_pool_overflow,
        pool_wait=settings.database_pool_wait_seconds,
        pgbouncer=settings.database_pgbouncer,
    )


def open_database(settings: Settings, role: Role) -> Database:
    """The database of these settings; nothing is connected yet."""
    return Database(
        settings.database,
        pool_size=settings.database_pool_size,
        profile=connection_profile(settings, role),
        replica_url=settings.database_replica_url if role == "server" else "",
    )
