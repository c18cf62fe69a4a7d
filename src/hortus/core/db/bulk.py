"""Set-based statements over many rows, whose text does not depend on the number of rows.

The rows are one JSON parameter, so the statement is prepared once and sixty-four rows cost one round trip.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any, Final, Self, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    BindParameter,
    Boolean,
    Column,
    ColumnElement,
    CursorResult,
    Date,
    Executable,
    Integer,
    String,
    Table,
    TextClause,
    bindparam,
    literal,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.expression import FunctionElement

from hortus.core.db.tx import Tx
from hortus.core.db.types import Base, UtcDateTime, clock_sql

LOCK: Final = {"postgresql": "FOR UPDATE", "sqlite": ""}  # SQLite has a single writer
SKIP_LOCKED: Final = {"postgresql": "FOR UPDATE SKIP LOCKED", "sqlite": ""}
JSON_TYPE: Final = {"postgresql": "json", "sqlite": "text"}
TYPES: Final = (
    (String, "text"),
    (BigInteger, "bigint"),
    (Integer, "int"),
    (Boolean, "boolean"),
    (UtcDateTime, "timestamptz"),
    (JSON, "json"),
)
PARAMETERS: Final[Mapping[str, Any]] = {"rows": String(), "now": UtcDateTime(), "day": Date(), "month": Date()}


class BulkStatement:
    """SQL with `{rows}` for a table `d` of the given columns; one text per dialect.

    Other placeholders are `{lock}`, `{skip_locked}`, `{json}` for the type of JSON columns, `{clock}` for the time of
    the database, `{later}` for that plus `d.delay` seconds. Columns have PostgreSQL types: `text`, `bigint`, `int`,
    `double precision`, `boolean`, `date`, `timestamptz`, `json`.
    It may also have the parameters `:now` (a time), `:day` and `:month` (dates).
    """

    def __init__(self, sql: str, **columns: str) -> None:
        picked = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in columns)
        typed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        sources = {
            "sqlite": f"(SELECT {picked} FROM json_each(:rows)) AS d",  # noqa: S608 - column names of our own
            "postgresql": f"jsonb_to_recordset(CAST(:rows AS jsonb)) AS d({typed})",
        }
        self._texts: dict[str, TextClause] = {}
        for dialect, source in sources.items():
            filled = sql.format(
                rows=source,
                lock=LOCK[dialect],
                skip_locked=SKIP_LOCKED[dialect],
                json=JSON_TYPE[dialect],
                clock=clock_sql(dialect, "0"),
                later=clock_sql(dialect, "d.delay"),
            )
            bound: list[BindParameter[Any]] = [
                bindparam(name, type_=kind) for name, kind in PARAMETERS.items() if f":{name}" in filled
            ]
            self._texts[dialect] = text(filled).bindparams(*bound)
        self._statements: dict[str, Executable] = dict(self._texts)

    def result_types(self, **types: Any) -> Self:
        """Convert result columns to these types; needed for dates, times and JSON only."""
        self._statements = {dialect: made.columns(**types) for dialect, made in self._texts.items()}
        return self

    def text(self, dialect: str) -> str:
        """The SQL for that database."""
        return self._texts[dialect].text

    async def run(self, tx: Tx, rows: Sequence[Mapping[str, Any]], **parameters: Any) -> CursorResult[*tuple[Any, ...]]:
        """Run it over `rows` of text, integers, dates, aware datetimes and None."""
        write = _sqlite_text if tx.dialect == "sqlite" else _iso_text
        parameters["rows"] = json.dumps(rows, default=write, separators=(",", ":"))
        result = await tx.execute(self._statements[tx.dialect], parameters)
        return cast("CursorResult[*tuple[Any, ...]]", result)


def bulk_insert(
    table: type[Base],
    *names: str,
    beside: Mapping[str, str] = MappingProxyType({}),
    where_new: bool = False,
    **filled: str,
) -> BulkStatement:
    """An INSERT of many rows with those columns.

    An existing row fails the transaction, or is skipped with `where_new`. `filled` columns are SQL expressions over
    `d`, which may have columns `beside` those of the table.
    """
    target = cast("Table", table.__table__)
    columns = {name: _type_of(target.columns[name]) for name in names}
    given = {name: f"d.{name}" for name in names} | filled
    sql = (
        f"INSERT INTO {target.name} ({', '.join(given)}) SELECT {', '.join(given.values())} "  # noqa: S608 - names of our own
        "FROM {rows} WHERE true" + (" ON CONFLICT DO NOTHING" if where_new else "")
    )
    return BulkStatement(sql, **columns, **beside)


def _type_of(column: Column[Any]) -> str:
    return next(word for kind, word in TYPES if isinstance(column.type, kind))


class _in_json(FunctionElement[bool]):  # noqa: N801 - reads as the SQL it is
    """Whether a column is one of the texts in a JSON list."""

    type = Boolean()
    inherit_cache = True


def in_json(column: InstrumentedAttribute[Any], texts: Collection[str]) -> ColumnElement[bool]:
    """`column IN (...)`, as SQL whose text does not depend on the number of values."""
    return _in_json(column, literal(json.dumps(list(texts)), String()))


@compiles(_in_json, "postgresql")
def _in_json_postgresql(element: _in_json, compiler: Any, **given: Any) -> str:
    column, texts = (compiler.process(each, **given) for each in element.clauses)
    return f"{column} IN (SELECT jsonb_array_elements_text(CAST({texts} AS jsonb)))"


@compiles(_in_json, "sqlite")
def _in_json_sqlite(element: _in_json, compiler: Any, **given: Any) -> str:
    column, texts = (compiler.process(each, **given) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({texts}))"  # noqa: S608 - compiled pieces


def _sqlite_text(value: date) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")  # as `UtcDateTime` stores it
    return value.isoformat()


def _iso_text(value: date) -> str:
    return value.isoformat()  # of a datetime it keeps the time and the offset
