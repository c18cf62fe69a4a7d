"""Lists of customers use indexes, on the first page and on later ones."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import event
from tests.helpers.query_plans import query_plan

from hortus import generation, ledger
from hortus.billing.payments.queries import payments_of
from hortus.chat import service as chat
from hortus.core import ids
from hortus.core.db import Database, Tx
from hortus.core.db.paging import PageRequest, encode_cursor

ME = ids.new()
LISTS: dict[str, tuple[Callable[[Tx, PageRequest], Awaitable[Any]], str]] = {
    "rooms": (
        lambda tx, paging: chat.find_rooms(tx, ME, paging, archived=False, pinned=None, words=None),
        "chatrooms",
    ),
    "messages": (lambda tx, paging: chat.find_messages(tx, ME, paging), "messages"),
    "generations": (lambda tx, paging: generation.service.find_all(tx, ME, paging), "generations"),
    "generations of a kind": (
        lambda tx, paging: generation.service.find_all(tx, ME, paging, kind="video", status="failed"),
        "generations",
    ),
    "credits": (lambda tx, paging: ledger.entries(tx, ME, paging), "ledger_entries"),
    "payments": (lambda tx, paging: payments_of(tx, ME, paging), "payments"),
}


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("name", LISTS)
async def test_a_list_asks_its_index_and_sorts_nothing(database: Database, name: str, later: bool):
    look, table = LISTS[name]
    paging = PageRequest(20, encode_cursor(ids.new()) if later else None)
    statements: list[tuple[str, Any]] = []

    @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def note(_connection, _cursor, statement, parameters, _context, _many) -> None:
        if statement.startswith("SELECT"):
            statements.append((statement, parameters))

    async with database.transaction() as tx:
        await look(tx, paging)
    (statement, values), *_ = statements
    async with database.transaction() as tx:
        # The tables are empty: with these ways any plan is as cheap as another.
        plan = await query_plan(tx, statement, values, without=("seqscan", "sort", "bitmapscan"))
    assert re.search(rf"Index (Only )?Scan|SEARCH {table} USING (COVERING )?INDEX", plan), plan
    assert not re.search(r"Seq Scan|Sort|TEMP B-TREE|SCAN \w+(?!.* USING)|pk_", plan), plan
