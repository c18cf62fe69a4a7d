"""Full-text search on both databases: matches, ownership and use of the index."""

import re
import sqlite3
from typing import Any

import pytest
from sqlalchemy import delete, event, insert, select, text, update
from tests.helpers.query_plans import query_plan

from hortus.core import clock, ids
from hortus.core.db import Database, search
from hortus.core.db.paging import PageRequest
from hortus.files.tables import File

ADA, EVE = ids.new(), ids.new()


def row(owner: str, name: str) -> dict:
    return {
        "id": ids.new(), "user_id": owner, "purpose": "upload", "filename": name, "mime_type": "image/png", "bytes": 1,
        "sha256": "0" * 64, "scan": "not_scanned", "storage_key": "k", "created_at": clock.now(), "accessed_count": 0,
        "search": search.document(owner, name),
    }  # fmt: skip


async def found(database: Database, words: str, owner: str = ADA, *, limit: int = 50, recent: bool = True) -> list[str]:
    """The names that a search finds, over all its pages."""
    names, cursor = [], None
    while True:
        async with database.transaction() as tx:
            query = select(File).where(File.user_id == owner)
            page = await search.find(tx, query, PageRequest(limit, cursor), owner, words, order=File.id, recent=recent)
            names += [each.filename for each in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return names


TEXTS = {
    "Tea shop in Łódź": ["tea", "TEA", "sho", "shop tea", "łódź", "tea, shop!", "in"],
    "Café crème": ["cafe", "CAFÉ", "creme", "cafe\u0301"],
    "straße 24/7": ["strasse", "STRASSE", "24", "7"],
    "श्री लंका की चाय": ["श्री", "लंका", "चाय", "श्\u200dरी"],
    "محمد\u200cرضا": ["محمدرضا", "محمد"],
    "私は東京に住んでいます": ["東京", "東", "京に住", "す"],
    "ร้านชาในกรุงเทพ": ["ชา", "กรุงเทพ"],
    "서울 여행": ["서울", "여"],
    "Ｆｕｌｌ ｗｉｄｔｈ": ["full width"],
    "don't_panic-now": ["panic", "now"],
}
ABSENT = [
    "ea",
    "hop",
    "tea coffee",
    "京東",
    "!!!",
    "  ",
    "%",
    "_",
    "te%",
    "'",
    '"',
    "tea*",
    "NOT tea",
    "tea OR",
    ":*",
    "\\",
]


@pytest.mark.parametrize("recent", [True, False], ids=["newest rows first", "index alone"])
async def test_words_are_found_as_people_type_them(database: Database, recent: bool):
    async with database.transaction() as tx:
        for name in TEXTS:
            await tx.execute(insert(File), row(ADA, name))
    for name, queries in TEXTS.items():
        for words in queries:
            assert name in await found(database, words, recent=recent), (words, name)
    for words in ABSENT:
        names = await found(database, words, recent=recent)
        assert "Café crème" not in names
        assert words in ("te%", "tea*", "'", '"') or "Tea shop in Łódź" not in names, words


async def test_a_search_finds_the_owners_rows_alone(database: Database):
    key_of_ada = f"{ids.new()[:-6]}{ADA[-6:]}"  # another user whose terms are led by the same key
    async with database.transaction() as tx:
        for owner in (ADA, EVE, key_of_ada):
            await tx.execute(insert(File), row(owner, f"tea of {owner}"))
        await tx.execute(insert(File), row(EVE, f"{search.owner_key(ADA)}tea"))
    for recent in (True, False):
        assert await found(database, "tea", recent=recent) == [f"tea of {ADA}"]


async def test_pages_are_complete_and_ordered_with_both_plans(database: Database):
    """Words of the newest rows, words of the oldest, and one in every seventh row, in small pages."""
    total = search.RECENT * 2
    rows = [
        row(ADA, f"common {'seventh' if n % 7 == 0 else 'other'} {'old' if n < 5 else 'new'}") for n in range(total)
    ]
    async with database.transaction() as tx:
        await tx.execute(insert(File), rows)
    names = [each["filename"] for each in reversed(rows)]
    for words in ("common", "seventh", "old", "common seventh", "seventh old"):
        expected = [name for name in names if all(word in name for word in words.split())]
        for limit in (7, 100):
            assert await found(database, words, limit=limit) == expected


async def test_the_index_follows_updates_and_deletes(database: Database):
    rows = [row(ADA, f"tea {n}") for n in range(5)]
    async with database.transaction() as tx:
        await tx.execute(insert(File), rows)
        for each, name in zip(rows, ("coffee", "", "tea again"), strict=False):
            await tx.execute(
                update(File).where(File.id == each["id"]).values(filename=name, search=search.document(ADA, name))
            )
        await tx.execute(delete(File).where(File.id == rows[3]["id"]))
    assert await found(database, "tea", recent=False) == ["tea 4", "tea again"]
    assert await found(database, "coffee", recent=False) == ["coffee"]
    if database.dialect == "sqlite":
        async with database.engine.connect() as connection:
            assert (await connection.execute(text("SELECT count(*) FROM files_search_rows"))).scalar() == 3


async def test_row_numbers_survive_a_vacuum(database: Database):
    rows = [row(ADA, f"tea {n}") for n in range(9)]
    async with database.transaction() as tx:
        await tx.execute(insert(File), rows)
        await tx.execute(delete(File).where(File.id.in_([each["id"] for each in rows[::2]])))
    if database.dialect == "sqlite":
        await database.close()
        with sqlite3.connect(str(database.engine.url.database), isolation_level=None) as connection:
            connection.execute("VACUUM")
        connection.close()
    assert await found(database, "tea", recent=False) == ["tea 7", "tea 5", "tea 3", "tea 1"]


async def test_a_search_reads_the_index(database: Database):
    """Neither way scans the table."""
    async with database.transaction() as tx:
        await tx.execute(insert(File), [row(EVE, f"tea {n}") for n in range(3000)] + [row(ADA, "rare")])
    sent: list[tuple[str, Any]] = []

    @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def note(_connection, _cursor, statement, parameters, _context, _many) -> None:
        if statement.startswith("SELECT"):
            sent.append((statement, parameters))

    assert await found(database, "rar") == ["rare"]
    newest, index = sent
    async with database.transaction() as tx:
        await tx.execute(text("ANALYZE"))
        plans = [await query_plan(tx, *each) for each in (newest, index)]
    assert "ix_files_of_user" in plans[0]
    assert "ix_files_search" in plans[1] or "files_search VIRTUAL TABLE INDEX" in plans[1]
    for plan in plans:
        assert not re.search(r"Seq Scan|SCAN files\b(?!_search)(?!.* USING)", plan), plan
