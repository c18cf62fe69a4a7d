"""A pool of empty databases for tests on one PostgreSQL server.

Creating a database costs more than most tests, so databases are emptied and reused. A database whose schema changed,
or that still has connections, is dropped.
"""

import asyncio
from dataclasses import dataclass, field

import asyncpg
from sqlalchemy import make_url

from hortus.core import ids

TEMPLATE = "hortus_template"
SHAPE = """
SELECT md5(string_agg(said, ';' ORDER BY said)) FROM (
    SELECT format('%s %s %s %s', c.relname, c.relkind, a.attname, format_type(a.atttypid, a.atttypmod)) AS said
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT format('%s %s', tgname, tgenabled) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT format('%s %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint
    UNION ALL SELECT format('%s %s', proname, prosrc) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT setconfig::text FROM pg_db_role_setting
    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
) AS everything
"""
OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
PATIENCE = 0.2
"""Seconds in which a connection that was closed may still show."""


def on_server(server: str, name: str) -> str:
    """The URL of database `name` on the server of that URL."""
    return make_url(server).set(database=name).render_as_string(hide_password=False)


async def execute(server: str, statement: str) -> None:
    """Run one statement on a connection of its own."""
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


FORGET_STATISTICS = """
DELETE FROM pg_statistic WHERE starelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace);
UPDATE pg_class SET relpages = 0, reltuples = -1
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND reltuples <> -1
"""
"""What the planner learned from the rows of an earlier test would decide the plans of the next one."""


@dataclass
class DatabasePool:
    """The databases of one test process."""

    server: str
    _free: list[str] = field(default_factory=list)
    _shape: str = ""
    _tables: tuple[str, ...] = ()
    _seeds: dict[str, str] = field(default_factory=dict)

    async def acquire(self) -> str:
        """The name of a database with the contents of the template."""
        if self._free:
            return self._free.pop()
        name = "t_" + ids.new().replace("-", "")
        # By files: nothing here outlives the run, so there is nothing to log.
        await execute(self.server, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
        if not self._shape:
            await self._look(name)
        return name

    async def _look(self, name: str) -> None:
        """Read the schema of a fresh database, for comparison."""
        connection = await asyncpg.connect(on_server(self.server, name))
        self._shape = await connection.fetchval(SHAPE)
        listed = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        self._tables = tuple(row["tablename"] for row in listed)
        for table in await self._filled(connection):
            self._seeds[table] = await connection.fetchval(f'SELECT json_agg(t)::text FROM "{table}" t')
        await connection.close()

    async def _filled(self, connection: asyncpg.Connection) -> list[str]:
        looks = (f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM \"{table}\")" for table in self._tables)
        return [row[0] for row in await connection.fetch(" UNION ALL ".join(looks))]

    async def release(self, name: str) -> None:
        """Empty a database for the next test, or drop it."""
        connection = await asyncpg.connect(on_server(self.server, name), server_settings={"jit": "off"})
        try:
            fit = await self._is_left_alone(connection) and await connection.fetchval(SHAPE) == self._shape
            if fit and (filled := await self._filled(connection)):
                listed = ", ".join(f'"{table}"' for table in filled)
                # As a replica: the triggers that keep history from being emptied do not fire then.
                await connection.execute(
                    f"SET session_replication_role = replica; TRUNCATE {listed} RESTART IDENTITY CASCADE"
                )
                for table, rows in self._seeds.items():
                    await connection.execute(
                        f'INSERT INTO "{table}" SELECT * FROM json_populate_recordset(NULL::"{table}", $1) '
                        f'WHERE NOT EXISTS (SELECT 1 FROM "{table}")', rows
                    )  # fmt: skip
            if fit:
                await connection.execute(FORGET_STATISTICS)
        finally:
            await connection.close()
        if fit:
            self._free.append(name)
        else:
            await execute(self.server, f"DROP DATABASE {name} WITH (FORCE)")

    async def drop(self) -> None:
        """Drop all databases of this pool."""
        while self._free:
            await execute(self.server, f"DROP DATABASE {self._free.pop()} WITH (FORCE)")

    async def _is_left_alone(self, connection: asyncpg.Connection) -> bool:
        for _ in range(10):
            if not await connection.fetchval(OTHERS):
                return True
            await asyncio.sleep(PATIENCE / 10)
        return False
