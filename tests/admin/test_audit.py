"""The audit chain is intact under concurrency and detects every change."""

import asyncio
import json

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from hortus import admin
from hortus.core import ids
from hortus.core.db import Database

SOMEBODY = admin.Actor("a" * 36, "admin")


async def fill(database: Database, count: int, **options: str) -> None:
    for number in range(count):
        async with database.transaction() as tx:
            await admin.record(tx, SOMEBODY, "user.suspended", ("user", f"u{number}"), {"n": number}, **options)


async def verified(database: Database, **options: int) -> admin.AuditVerification:
    async with database.snapshot() as tx:
        return await admin.verify(tx, **options)


async def unprotect(database: Database) -> None:
    """Drop the triggers, as a person with the database's password could."""
    async with database.transaction() as tx:
        if database.dialect == "sqlite":
            for verb in ("update", "delete"):
                await tx.execute(text(f"DROP TRIGGER audit_events_no_{verb}"))
        else:
            await tx.execute(text("ALTER TABLE audit_events DISABLE TRIGGER ALL"))


@pytest.mark.parametrize("statement", ["UPDATE audit_events SET action = 'x'", "DELETE FROM audit_events"])
async def test_the_database_refuses_to_change_an_event(database: Database, statement: str):
    await fill(database, 1)
    with pytest.raises(DBAPIError, match="append-only"):
        async with database.transaction() as tx:
            await tx.execute(text(statement))


async def test_an_empty_chain_is_whole(database: Database):
    result = await verified(database)
    assert (result.broken, result.checked, result.finished) == ([], 0, True)


async def test_events_of_many_pools_make_one_chain(database_url: str):
    pools = [Database(database_url, pool_size=4) for _ in range(3)]

    async def append(number: int) -> int:
        async with pools[number % 3].transaction() as tx:
            return await admin.record(tx, SOMEBODY, "race", ("user", str(number)), note="at once")

    positions = await asyncio.gather(*(append(number) for number in range(60)))
    assert sorted(positions) == list(range(1, 61))
    result = await verified(pools[0])
    assert (result.broken, result.checked, result.head) == ([], 60, 60)
    for pool in pools:
        await pool.close()


async def test_what_is_rolled_back_was_never_in_the_chain(database: Database):
    await fill(database, 1)
    with pytest.raises(RuntimeError):
        async with database.transaction() as tx:
            await admin.record(tx, SOMEBODY, "user.suspended", ("user", "u"))
            raise RuntimeError("no")
    await fill(database, 1)
    result = await verified(database)
    assert (result.broken, result.checked) == ([], 2)


@pytest.mark.parametrize(
    ("statement", "position", "what"),
    [
        ("UPDATE audit_events SET target_id = 'other' WHERE position = 3", 3, "was changed"),
        ("UPDATE audit_events SET details = '{json}' WHERE position = 3", 3, "was changed"),
        ("UPDATE audit_events SET actor_id = NULL WHERE position = 3", 3, "was changed"),
        ("DELETE FROM audit_events WHERE position = 3", 3, "missing"),
        ("DELETE FROM audit_events WHERE position > 4", 5, "missing up to the end"),
        ("UPDATE audit_events SET previous = digest WHERE position = 3", 3, "does not follow"),
        ("UPDATE audit_notes SET text = 'another reason' WHERE position = 3", 3, "note was changed"),
        ("UPDATE audit_head SET position = 5", 6, "after the end"),
        ("UPDATE audit_head SET digest = 'x'", 6, "not its last event"),
        ("DELETE FROM audit_head", 0, "end of the chain is missing"),
    ],
)
async def test_a_change_is_found_where_it_was_made(database: Database, statement: str, position: int, what: str):
    await fill(database, 6, note="Spam from this account")
    await unprotect(database)
    async with database.transaction() as tx:
        notes = "DELETE FROM audit_notes WHERE position IN (3, 5, 6)"
        if statement.startswith("DELETE FROM audit_events"):
            await tx.execute(text(notes))
        await tx.execute(text(statement.replace("{json}", json.dumps({"n": 99}).replace(":", "\\:"))))
    result = await verified(database)
    assert result.broken[0]["position"] == position
    assert what in result.broken[0]["what"]


async def test_a_long_chain_is_verified_in_parts(database: Database):
    await fill(database, 7)
    first = await verified(database, limit=4)
    assert (first.last, first.finished, first.broken) == (4, False, [])
    second = await verified(database, after=4, limit=4)
    assert (second.checked, second.last, second.finished, second.broken) == (3, 7, True, [])
    assert second.last_digest == second.head_digest


async def test_an_erased_note_leaves_the_chain_whole(database: Database):
    person = ids.new()
    async with database.transaction() as tx:
        await admin.record(tx, SOMEBODY, "user.suspended", ("user", person), note="Mr. Example shouted")
        await admin.record(tx, SOMEBODY, "user.suspended", ("user", ids.new()), note="Somebody else")
    async with database.transaction() as tx:
        assert await admin.erase_notes(tx, person) == 1
    result = await verified(database)
    assert (result.broken, result.notes_erased, result.checked) == ([], 1, 2)
