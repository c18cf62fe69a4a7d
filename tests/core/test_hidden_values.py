"""No log and no traceback of a database error contains a value; probes are logged at debug."""

import io
import json
import logging
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import BigInteger, bindparam, insert, literal_column, select, text
from tests.helpers.server import serve

from hortus.accounts.tables import Identifier, User
from hortus.core.db import Database
from hortus.core.db.compiled_select import PreparedSelect
from hortus.core.telemetry import log

SECRET = "hush-opensesame"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PERSON = {
    "id": "u1", "name": SECRET, "role": "user", "status": "active", "password_hash": SECRET,
    "marketing_consent": False, "created_at": NOW, "updated_at": NOW,
}  # fmt: skip
ADDRESS = {"id": "i1", "user_id": "u1", "kind": "email", "value": f"{SECRET}@example.com", "created_at": NOW}
SUM = PreparedSelect(select((bindparam("number", type_=BigInteger) + literal_column("1", BigInteger)).label("sum")))
NO_TABLE = PreparedSelect(
    text("SELECT id FROM no_such_table WHERE id = :id").bindparams(bindparam("id")).columns(literal_column("id"))
)


async def same_again(database: Database) -> None:
    """A unique constraint; PostgreSQL's DETAIL repeats the key."""
    async with database.transaction() as tx:
        await tx.execute(insert(User), PERSON)
        await tx.execute(insert(Identifier), ADDRESS)
        await tx.execute(insert(Identifier), ADDRESS | {"id": "i2"})


async def same_again_in_a_list(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(insert(User), PERSON)
        await tx.execute(insert(Identifier), [ADDRESS, ADDRESS | {"id": "i2"}])


async def same_again_as_an_object(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(insert(User), PERSON)
        tx.add_all([Identifier(**ADDRESS), Identifier(**ADDRESS | {"id": "i2"})])
        await tx.flush()


async def orphan(database: Database) -> None:
    """A foreign key; PostgreSQL's DETAIL repeats the key."""
    async with database.transaction() as tx:
        await tx.execute(insert(Identifier), ADDRESS | {"user_id": SECRET})


async def null(database: Database) -> None:
    """A column that may not be null; PostgreSQL's DETAIL repeats the row."""
    async with database.transaction() as tx:
        await tx.execute(insert(User), PERSON | {"role": None})


async def misfit(database: Database) -> None:
    """A value of the wrong type; drivers and types repeat it."""
    async with database.transaction() as tx:
        await tx.execute(insert(User), PERSON | {"created_at": SECRET})


async def no_table(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("SELECT * FROM no_such_table WHERE name = :name"), {"name": SECRET})


async def no_table_in_a_snapshot(database: Database) -> None:
    async with database.snapshot() as tx:
        await tx.execute(text("SELECT * FROM no_such_table WHERE name = :name"), {"name": SECRET})


async def no_table_in_a_read(database: Database) -> None:
    await database.read(NO_TABLE, id=SECRET)


async def wrong_json(database: Database) -> None:
    function = "json_extract(:given, '$.a')" if database.dialect == "sqlite" else "CAST(:given AS json)"
    async with database.transaction() as tx:
        await tx.execute(text(f"SELECT {function}"), {"given": SECRET})


BOTH = [
    same_again, same_again_in_a_list, same_again_as_an_object, orphan, null, misfit, no_table, no_table_in_a_snapshot,
    no_table_in_a_read, wrong_json,
]  # fmt: skip


async def wrong_number(database: Database) -> None:
    """The server repeats a value that it cannot parse."""
    async with database.transaction() as tx:
        await tx.execute(text("SELECT CAST(:number AS integer)"), {"number": SECRET})


async def wrong_number_for_the_driver(database: Database) -> None:
    """The driver repeats a value that it cannot encode."""
    async with database.transaction() as tx:
        await (await tx.connection()).exec_driver_sql("SELECT $1::integer", (SECRET,))


async def wrong_id_for_the_driver(database: Database) -> None:
    """The driver repeats it in the error behind its error, too."""
    async with database.transaction() as tx:
        await (await tx.connection()).exec_driver_sql("SELECT $1::uuid", (SECRET,))


async def wrong_number_in_a_read(database: Database) -> None:
    await database.read(SUM, number=SECRET)


async def wrong_search(database: Database) -> None:
    """A syntax error in a value, which is none of class 22."""
    async with database.transaction() as tx:
        await tx.execute(text("SELECT to_tsquery('simple', :query)"), {"query": f"{SECRET} ("})


POSTGRESQL = [
    wrong_number, wrong_number_for_the_driver, wrong_id_for_the_driver, wrong_number_in_a_read, wrong_search
]  # fmt: skip


@pytest.fixture(params=["json", "console"])
def written(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """The log at the lowest level, in both formats."""
    lines, root = io.StringIO(), logging.getLogger()
    before = root.handlers[:], root.level
    monkeypatch.setattr(sys, "stderr", lines)
    log.configure("debug", request.param)
    yield lines.getvalue
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    structlog.reset_defaults()


@pytest.mark.parametrize("fail", BOTH, ids=lambda each: each.__name__)
async def test_an_error_of_the_database_holds_no_value(
    fail: Callable[[Database], Awaitable[None]], database: Database, written: Callable[[], str]
):
    await find_nothing(fail, database, written)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("fail", POSTGRESQL, ids=lambda each: each.__name__)
async def test_an_error_of_postgresql_holds_no_value(
    fail: Callable[[Database], Awaitable[None]], database: Database, written: Callable[[], str]
):
    await find_nothing(fail, database, written)


async def find_nothing(
    fail: Callable[[Database], Awaitable[None]], database: Database, written: Callable[[], str]
) -> None:
    with pytest.raises(Exception, match=r"\w") as caught:
        await fail(database)
    error = caught.value
    try:
        raise error
    except Exception:
        structlog.get_logger().exception("request_failed")
        logging.getLogger("another.library").exception("It failed")
    output = written()
    assert type(error).__name__ in output
    assert output.count("request_failed") == output.count("It failed") == 1
    everything = output + "".join(traceback.format_exception(error)) + str(error) + repr(error)
    assert SECRET not in everything, next(line for line in everything.splitlines() if SECRET in line)


@pytest.mark.parametrize("written", ["json"], indirect=True)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_probes_are_logged_at_debug(database_url: str, tmp_path: Path, written: Callable[[], str]):
    probes = ("/health", "/health/live", "/health/ready", "/metrics")
    async with serve(database_url, tmp_path) as hortus:
        for path in (*probes, "/"):
            assert (await hortus.anonymous().get(path)).status_code == 200
    levels: dict[str, Any] = {}
    for line in written().splitlines():
        if line.startswith("{") and (output := json.loads(line)).get("event") == "request":
            levels[output["path"]] = output["level"]
    assert levels == {**dict.fromkeys(probes, "debug"), "/": "info"}
