"""Queries of administrators use indexes: none reads a whole table."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import event
from tests.helpers.query_plans import query_plan

from hortus import accounts, billing, generation, tasks
from hortus.core import clock, ids
from hortus.core.db import Database, Tx
from hortus.core.db.paging import PageRequest

PAYMENTS = "payments"  # by their ids: the key of the table
SEARCHES: dict[str, tuple[Callable[[Tx], Awaitable[Any]], str]] = {
    "beginning": (lambda tx: accounts.search_users(tx, PageRequest(), query="anna"), "ix_identifiers_by_beginning"),
    "role": (lambda tx: accounts.search_users(tx, PageRequest(), role="support"), "ix_users_staff"),
    "status": (lambda tx: accounts.search_users(tx, PageRequest(), status="suspended"), "ix_users_not_active"),
    "administrators": (accounts.lock_administrators, "ix_users_staff"),
    "dead letters": (lambda tx: tasks.find_tasks(tx, PageRequest(), status="dead"), "ix_tasks_"),
    "works by kind": (
        lambda tx: generation.list_of_all_users(tx, PageRequest(), kind="video"),
        "ix_generations_by_kind",
    ),
    "failed works": (lambda tx: generation.list_of_all_users(tx, PageRequest(), failed=True), "ix_generations_failed"),
    "taken down": (
        lambda tx: generation.list_of_all_users(tx, PageRequest(), taken_down=True),
        "ix_generations_taken_down",
    ),
    "payments of a user": (
        lambda tx: billing.find_payments(tx, PageRequest(), user_id=ids.new()),
        "ix_payments_user_id_id",
    ),
    "a vendor's payment": (
        lambda tx: billing.find_payments(tx, PageRequest(), external_id="x"),
        "ix_payments_by_external_id",
    ),
    "refunded": (lambda tx: billing.find_payments(tx, PageRequest(), status="refunded"), "ix_payments_refunded"),
    "disputed": (lambda tx: billing.find_payments(tx, PageRequest(), status="disputed"), "ix_payments_disputed"),
    "unmatched": (lambda tx: billing.find_payments(tx, PageRequest(), status="unmatched"), "ix_payments_unmatched"),
    "payments since": (lambda tx: billing.find_payments(tx, PageRequest(), since=clock.now()), PAYMENTS),
    "failed webhook events": (
        lambda tx: billing.find_webhook_events(tx, PageRequest(), status="failed"),
        "ix_webhook_events_status_id",
    ),
    "revenue": (lambda tx: billing.revenue(tx, clock.EPOCH, clock.now()), "ix_payments_paid_at"),
    "works of a user": (
        lambda tx: generation.list_of_all_users(tx, PageRequest(), user_id=ids.new()),
        "ix_generations_of_user",
    ),
}


@pytest.mark.parametrize("name", SEARCHES)
async def test_a_search_asks_its_index(database: Database, name: str):
    search, index = SEARCHES[name]
    said: list[tuple[str, Any]] = []

    @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def note(_connection, _cursor, statement, parameters, _context, _many) -> None:
        if statement.startswith("SELECT"):
            said.append((statement, parameters))

    async with database.transaction() as tx:
        await search(tx)
    (statement, values), *_ = said
    async with database.transaction() as tx:
        # The tables are empty: with these ways any plan is as cheap as another.
        plan = await query_plan(tx, statement, values, without=("seqscan", "sort", "bitmapscan"))
    assert index in plan, plan
    scan = r"Seq Scan|SCAN (users|identifiers|tasks|generations|payments|webhook_events)(?!.* USING)"
    assert not re.search(scan, plan), plan
