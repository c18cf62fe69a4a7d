"""Full-text search in the texts of one user, indexed on both databases.

A searchable table has a column `search`: the distinct terms of its texts, each led by a key of the owner, so that a
search reads the owner's part of the index and nothing else. PostgreSQL indexes the column with GIN, SQLite by an FTS5
table that triggers keep (`search_ddl`). Terms are folded: compatibility forms, case, accents of Latin, Greek and
Cyrillic letters, and joiners make no difference. Scripts that do not separate words (Han, Kana, Thai, Lao, Khmer,
Burmese) are indexed by pairs of characters.

A row is found when each word of the query begins a word of the row.
"""

import re
import unicodedata
from typing import Any

from sqlalchemy import Select, String, Text, and_, cast, column, func, literal, literal_column, select, table
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db.paging import Page, PageRequest, newest, newest_first
from hortus.core.db.tx import Tx

RECENT = 256
"""The newest rows are scanned first: frequent words are found there."""
MAX_TERMS = 2000
MAX_TERM = 40
MAX_WORDS = 12
_KEY = 6
_ASCII = re.compile(r"[a-z0-9]+")
_WORD = re.compile(r"[^\W_]+")
_DROPPED = dict.fromkeys([*range(0x0300, 0x0370), 0x200C, 0x200D, 0x00AD, 0x0640])
_UNSEPARATED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Kana, Han
)
_RUNS = re.compile(f"([{_UNSEPARATED}]+)")


class Searchable:
    """Adds the column `search` to a table class."""

    search: Mapped[str] = mapped_column(Text, default="", server_default="", deferred=True)


def document(owner_id: str, *texts: str | None) -> str:
    """The value of `search` for a row of that owner with those texts."""
    key = owner_key(owner_id)
    terms = dict.fromkeys(term for text in texts if text for run in words_of(text) for term in _indexed(run))
    return " ".join([key + term[:MAX_TERM] for term in list(terms)[:MAX_TERMS]])


def owner_key(owner_id: str) -> str:
    """The prefix of the owner's terms. Owners may share it: every search also filters by owner."""
    return owner_id[-_KEY:].lower()


def words_of(text: str) -> list[str]:
    """The folded words of a text."""
    if text.isascii():
        return _ASCII.findall(text.lower())
    folded = unicodedata.normalize("NFKD", text).casefold().translate(_DROPPED)
    # Vowel signs and viramas belong to their word, although `\w` does not match them.
    spaced = "".join(
        each if unicodedata.category(each)[0] in "LNM" else " " for each in unicodedata.normalize("NFC", folded)
    )
    return [run for word in spaced.split() for run in _RUNS.split(word) if run]


async def find(
    tx: Tx, query: Select[Any], paging: PageRequest, owner_id: str, words: str, *, order: Any, recent: bool = True
) -> Page[Any]:
    """The page of rows of `query` that match `words`, newest by `order` first.

    `query` selects the owner's rows of one searchable table; `order` is a column of it, an id or a text that is unique
    and grows, by which an index lists those rows if `recent` is true. The cost does not grow with the rows of others,
    and with the owner's own only for words that are neither rare nor among the newest rows.
    """
    wanted = _wanted(owner_id, words)
    if not wanted:
        return Page(items=[])
    searched = order.class_
    if recent:
        page = await newest(tx, query.where(searched.id.in_(_recent_ids(query, paging, wanted, order))), paging, order)
        if page.next_cursor is not None:
            return page
    return await newest(tx, query.where(searched.id.in_(_indexed_ids(tx, searched, wanted))), paging, order)


def _recent_ids(query: Select[Any], paging: PageRequest, wanted: list[str], order: Any) -> Select[Any]:
    """The newest rows after the cursor that contain the terms."""
    columns = query.with_only_columns(order.class_.id, order.class_.search)
    rows = newest_first(columns, PageRequest(RECENT, paging.cursor), order).subquery()
    spaced = literal(" ").concat(rows.c.search)
    return select(rows.c.id).where(and_(*(spaced.like(f"% {term}%") for term in wanted)))


def _wanted(owner_id: str, words: str) -> list[str]:
    """The prefixes that the terms of a row must match."""
    key = owner_key(owner_id)
    runs = words_of(words)[:MAX_WORDS]
    return list(
        dict.fromkeys(
            key + term[:MAX_TERM] for run in runs for term in (_pairs(run) if _is_unseparated(run) else [run])
        )
    )


def _is_unseparated(run: str) -> bool:
    return _RUNS.fullmatch(run) is not None


def _indexed(run: str) -> list[str]:
    return [*_pairs(run), run[-1]] if _is_unseparated(run) else [run]


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]


def _indexed_ids(tx: Tx, table_class: Any, wanted: list[str]) -> Select[Any]:
    """The ids found by the index, possibly of other owners too."""
    name = table_class.__table__.name
    if tx.dialect == "postgresql":
        query = " & ".join(f"'{term}':*" for term in wanted)
        hit = table(name, column("id"), column("search")).alias("hit")
        vector = func.array_to_tsvector(func.string_to_array(hit.c.search, literal_column("' '")))
        # OFFSET 0 keeps the planner from scanning the owner's rows instead.
        return (
            select(hit.c.id).where(vector.op("@@")(cast(literal(query, String), TSQUERY))).offset(literal_column("0"))
        )
    query = " AND ".join(f'"{term}"*' for term in wanted)
    rows = table(f"{name}_search_rows", column("number"), column("id"))
    index = table(f"{name}_search", column("rowid"), column(f"{name}_search"))
    return (
        select(rows.c.id)
        .select_from(index.join(rows, rows.c.number == index.c.rowid))
        .where(index.c[f"{name}_search"].op("MATCH")(query))
    )


def search_ddl(dialect: str, name: str) -> list[str]:
    """The DDL of the index for a table with the columns `id` and `search`, for migrations."""
    if dialect == "postgresql":
        return [f"CREATE INDEX ix_{name}_search ON {name} USING gin (array_to_tsvector(string_to_array(search, ' ')))"]
    # The index stores no text. Its row numbers come from a separate table, since VACUUM may change those of `name`.
    statements = """
CREATE TABLE {name}_search_rows (number INTEGER PRIMARY KEY, id VARCHAR(36) NOT NULL UNIQUE)
---
CREATE VIRTUAL TABLE {name}_search USING fts5(
  terms, content='', columnsize=0, detail=none, tokenize="unicode61 remove_diacritics 0 categories 'L* N* M* Co'")
---
CREATE TRIGGER {name}_search_insert AFTER INSERT ON {name} WHEN new.search <> '' BEGIN
  INSERT INTO {name}_search_rows(id) VALUES (new.id);
  INSERT INTO {name}_search(rowid, terms) SELECT number, new.search FROM {name}_search_rows WHERE id = new.id;
END
---
CREATE TRIGGER {name}_search_update AFTER UPDATE OF search ON {name} WHEN old.search <> new.search BEGIN
  INSERT INTO {name}_search({name}_search, rowid, terms)
    SELECT 'delete', number, old.search FROM {name}_search_rows WHERE id = old.id;
  INSERT OR IGNORE INTO {name}_search_rows(id) SELECT new.id WHERE new.search <> '';
  INSERT INTO {name}_search(rowid, terms)
    SELECT number, new.search FROM {name}_search_rows WHERE id = new.id AND new.search <> '';
  DELETE FROM {name}_search_rows WHERE id = new.id AND new.search = '';
END
---
CREATE TRIGGER {name}_search_delete AFTER DELETE ON {name} WHEN old.search <> '' BEGIN
  INSERT INTO {name}_search({name}_search, rowid, terms)
    SELECT 'delete', number, old.search FROM {name}_search_rows WHERE id = old.id;
  DELETE FROM {name}_search_rows WHERE id = old.id;
END
"""
    return statements.format(name=name).split("\n---\n")


def is_compared(_object: Any, name: str | None, kind: str, *_: Any) -> bool:
    """For Alembic's `include_object`: False for the indexes of `search_ddl`, which no table class declares."""
    return not (name is not None and kind in ("table", "index") and re.fullmatch(r"\w+_search(_\w+)?", name))
