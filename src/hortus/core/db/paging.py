"""Cursor pagination: `?limit=&cursor=` -> `{items, next_cursor}`; the cost of a page does not grow with its depth."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from sqlalchemy import ColumnElement, Select, literal, tuple_

from hortus.core import ids
from hortus.core.db.tx import Tx
from hortus.core.errors import Invalid

T = TypeVar("T")
Query = TypeVar("Query", bound="Select[*tuple[Any, ...]]")
MAX_LIMIT = 100


class Page(BaseModel, Generic[T]):
    """One page; `next_cursor` is null on the last."""

    items: list[T]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The parameters of a page: `limit` (1 to 100) and the cursor of the previous page."""

    limit: int = 20
    cursor: str | None = None

    def after(self) -> list[str] | None:
        """The key of the last row of the previous page; raises Invalid for a malformed cursor."""
        if not self.cursor:
            return None
        try:
            key = json.loads(base64.urlsafe_b64decode(self.cursor.encode() + b"=="))
        except ValueError:
            key = None
        if not isinstance(key, list) or not all(isinstance(part, str) and "\x00" not in part for part in key):
            raise Invalid(
                "`cursor` is not one that this list gave out.", errors=[{"field": "cursor", "detail": "unknown"}]
            )
        return key

    def before(self) -> datetime | None:
        """Every row of this page was created before this time; None on a first page, or if the ids have no time."""
        key = self.after()
        return ids.created_at_of(key[0]) if key is not None and len(key) == 1 and ids.is_id(key[0]) else None


def encode_cursor(*key: str) -> str:
    """An opaque cursor from the sort key of the last row."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def newest_first(query: Query, paging: PageRequest, *columns: Any) -> Query:
    """`query` ordered by `columns` descending, starting after the cursor, with one row more than the page.

    The columns must be text or ids, unique together; timestamps page by their row's id.
    """
    key = paging.after()
    if key is not None:
        if len(key) != len(columns):
            raise Invalid(
                "`cursor` is not one that this list gave out.", errors=[{"field": "cursor", "detail": "unknown"}]
            )
        bounds: ColumnElement[bool] = tuple_(*columns) < tuple_(*(literal(part) for part in key))
        query = query.where(bounds)
    return query.order_by(*(column.desc() for column in columns)).limit(paging.limit + 1)


def page_of(
    rows: Sequence[Any], paging: PageRequest, key: Callable[[Any], tuple[str, ...]]
) -> tuple[list[Any], str | None]:
    """The rows of this page and the cursor of the next, from a query of `newest_first`."""
    shown = list(rows[: paging.limit])
    more = len(rows) > paging.limit
    return shown, encode_cursor(*key(shown[-1])) if more and shown else None


async def newest(tx: Tx, query: Select[Any], paging: PageRequest, column: Any) -> Page[Any]:
    """The objects of `query` on this page, newest first by `column`: an id, or text that is unique and grows."""
    rows = (await tx.execute(newest_first(query, paging, column))).scalars().all()
    shown, cursor = page_of(rows, paging, lambda row: (getattr(row, column.key),))
    return Page(items=shown, next_cursor=cursor)
