"""Query plans of both databases."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text

from hortus.core.db import Tx


async def query_plan(
    tx: Tx, statement: str, values: Sequence[Any] | Mapping[str, Any] = (), *, without: Sequence[str] = ()
) -> str:
    """The plan of a statement. `without` disables plan types of PostgreSQL, which scans small tables otherwise."""
    if tx.dialect == "postgresql":
        for way in without:
            await tx.execute(text(f"SET LOCAL enable_{way} = off"))
    verb = "EXPLAIN QUERY PLAN " if tx.dialect == "sqlite" else "EXPLAIN "
    return await tx.run_sync(
        lambda session: "\n".join(
            str(row[-1]) for row in session.connection().exec_driver_sql(verb + statement, values or None)
        )
    )
