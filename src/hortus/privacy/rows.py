"""Read and change the rows of a user, a bounded number per transaction."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, Table, delete, null, select, tuple_, update

from hortus.core.db import Database
from hortus.privacy.data_map import TableRule

BATCH = 200


async def read(database: Database, table: Table, rule: TableRule, user_id: str) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield the rows about a user in batches, ordered by primary key, without the hidden columns."""
    columns = [column for column in table.c if column.name not in rule.hidden]
    keys = list(table.primary_key)
    wanted = select(*columns, *(key.label(f"_key_{key.name}") for key in keys))
    wanted = wanted.where(rule.owner(table, user_id)).order_by(*keys).limit(BATCH)
    last: list[Any] | None = None
    while True:
        query = wanted if last is None else wanted.where(_after(keys, last))
        async with database.snapshot() as tx:
            found = (await tx.execute(query)).mappings().all()
        if found:
            yield [{column.name: row[column.name] for column in columns} for row in found]
        if len(found) < BATCH:
            return
        last = [found[-1][f"_key_{key.name}"] for key in keys]


def _after(keys: list[Any], last: list[Any]) -> ColumnElement[bool]:
    if len(keys) == 1:
        return cast("ColumnElement[bool]", keys[0] > last[0])
    return tuple_(*keys) > tuple_(*last)


async def remove(database: Database, table: Table, about: ColumnElement[bool]) -> int:
    """Delete the rows that match `about`; how many. Idempotent."""
    keys, gone = list(table.primary_key), 0
    batch = select(*keys).where(about).limit(BATCH)
    statement = delete(table).where((tuple_(*keys) if len(keys) > 1 else keys[0]).in_(batch))
    while True:
        async with database.transaction() as tx:
            removed = cast("CursorResult[Any]", await tx.execute(statement)).rowcount
        gone += removed
        if not removed:
            return gone


async def anonymise(database: Database, table: Table, about: ColumnElement[bool], columns: Mapping[str, Any]) -> None:
    """Overwrite these columns in the rows that match `about`. Idempotent."""
    (key,) = table.primary_key
    values = {name: null() if value is None else value for name, value in columns.items()}
    last: str | None = None
    while True:
        batch = select(key).where(about).order_by(key).limit(BATCH)
        if last is not None:
            batch = batch.where(key > last)
        async with database.transaction() as tx:
            found = list((await tx.execute(batch)).scalars())
            if found:
                await tx.execute(update(table).where(key.in_(found)).values(**values))
        if len(found) < BATCH:
            return
        last = found[-1]
