"""Statements over many rows at once, whose text does not depend on how many.

The rows travel as one JSON parameter, so the statement is prepared once and a batch of
sixty-four costs one round trip.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final, Self, cast

from sqlalchemy import BindParameter, CursorResult, Date, Executable, String, TextClause, bindparam, text

from hortus.core.db import Moment, Tx

LOCK: Final = {"postgresql": "FOR UPDATE", "sqlite": ""}  # a SQLite writer is alone already
SKIP_LOCKED: Final = {"postgresql": "FOR UPDATE SKIP LOCKED", "sqlite": ""}
JSON_TYPE: Final = {"postgresql": "json", "sqlite": "text"}
PARAMETERS: Final[Mapping[str, Any]] = {"rows": String(), "now": Moment(), "day": Date(), "month": Date()}


class SetStatement:
    """SQL with `{rows}` for a table `d` of the given columns, `{lock}`, `{skip_locked}` and `{json}` for the type of
    JSON columns; one text per dialect.

    Columns are named with their PostgreSQL types: `text`, `bigint`, `date`, `timestamptz`.
    Beside the rows it may take `:now` (a moment), `:day` and `:month` (dates).
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
                rows=source, lock=LOCK[dialect], skip_locked=SKIP_LOCKED[dialect], json=JSON_TYPE[dialect]
            )
            bound: list[BindParameter[Any]] = [
                bindparam(name, type_=kind) for name, kind in PARAMETERS.items() if f":{name}" in filled
            ]
            self._texts[dialect] = text(filled).bindparams(*bound)
        self._statements: dict[str, Executable] = dict(self._texts)

    def answering(self, **types: Any) -> Self:
        """Read the answer's columns as these types; needed for dates and moments only."""
        self._statements = {dialect: made.columns(**types) for dialect, made in self._texts.items()}
        return self

    def text(self, dialect: str) -> str:
        """What is sent to that database."""
        return self._texts[dialect].text

    async def run(self, tx: Tx, rows: Sequence[Mapping[str, Any]], **parameters: Any) -> CursorResult[*tuple[Any, ...]]:
        """Run it over `rows` of text, integers, dates, aware datetimes and None."""
        write = _sqlite_text if tx.dialect == "sqlite" else _iso_text
        parameters["rows"] = json.dumps(rows, default=write, separators=(",", ":"))
        answer = await tx.execute(self._statements[tx.dialect], parameters)
        return cast("CursorResult[*tuple[Any, ...]]", answer)


def _sqlite_text(value: date) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")  # as `Moment` stores it
    return value.isoformat()


def _iso_text(value: date) -> str:
    return value.isoformat()  # of a datetime it keeps the time and the offset
