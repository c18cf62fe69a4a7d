"""Prepared selects return the same rows as in a transaction, on both databases."""

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import JSON, BigInteger, Boolean, Date, Integer, String, bindparam, column, insert, select, text

from hortus.core.background import in_background
from hortus.core.db import Database, NestedTransaction, UtcDateTime
from hortus.core.db.compiled_select import PreparedSelect
from hortus.core.errors import ServiceUnavailable
from hortus.routing.tables import DisabledOffer

MOMENT = datetime(2026, 11, 21, 12, 30, 15, 123456, UTC)
GIVEN: dict[str, Any] = {
    "word": "Olá\nوحش",
    "number": 2**53 + 1,
    "yes": True,
    "moment": MOMENT,
    "day": date(2026, 2, 28),
    "listed": ["a", {"b": None}],
}
TYPES: dict[str, Any] = {
    "word": String(),
    "number": BigInteger(),
    "yes": Boolean(),
    "moment": UtcDateTime(),
    "day": Date(),
    "listed": JSON(),
}
ALL_TYPES = PreparedSelect(select(*(bindparam(name, type_=kind).label(name) for name, kind in TYPES.items())))
TWICE = PreparedSelect(
    text("SELECT :word AS first, :number AS n, :word AS again, CAST(NULL AS integer) AS missing")
    .bindparams(bindparam("word", type_=String()), bindparam("number", type_=BigInteger()))
    .columns(first=String(), n=BigInteger(), again=String(), missing=Integer())
)
NONE = PreparedSelect(select(column("n", Integer)).select_from(text("(SELECT 1 AS n) AS t")).where(text("n = 2")))


async def test_every_type_is_converted_as_in_a_transaction(database: Database):
    (alone,) = await database.read(ALL_TYPES, **GIVEN)
    async with database.snapshot() as tx:
        (within,) = await tx.read(ALL_TYPES, **GIVEN)
    assert alone._asdict() == within._asdict() == GIVEN
    (nothing,) = await database.read(ALL_TYPES, **dict.fromkeys(GIVEN))
    assert nothing._asdict() == dict.fromkeys(GIVEN)


async def test_a_parameter_may_be_named_twice(database: Database):
    (row,) = await database.read(TWICE, word="a", number=3)
    assert tuple(row) == ("a", 3, "a", None)
    assert (row.first, row.n) == ("a", 3)


async def test_no_row_is_an_empty_result(database: Database):
    assert list(await database.read(NONE)) == []


async def test_it_sees_what_is_committed_and_nothing_else(database: Database):
    made = PreparedSelect(text("SELECT count(*) AS n FROM disabled_offers").columns(n=Integer()))
    async with database.transaction() as tx:
        await tx.execute(insert(DisabledOffer).values(provider="p", model="m", since=MOMENT))
        assert (await tx.read(made))[0].n == 1
        assert (await in_background(database.read(made)))[0].n == 0
    assert (await database.read(made))[0].n == 1


async def test_inside_a_transaction_it_is_refused(database: Database):
    async with database.snapshot():
        with pytest.raises(NestedTransaction):
            await database.read(NONE)


async def test_many_at_once(database: Database):
    found = await asyncio.gather(*(database.read(TWICE, word=str(n), number=n) for n in range(100)))
    assert [row.n for (row,) in found] == list(range(100))


async def test_an_unreachable_database_is_a_problem_to_retry():
    gone = Database("postgresql://nobody@127.0.0.1:9/none")
    with pytest.raises(ServiceUnavailable):
        await gone.read(NONE)
    await gone.close()
