"""The hot path uses indexes: no statement of the ledger reads a whole table."""

import re

import pytest
from sqlalchemy import TextClause, text
from tests.helpers.query_plans import query_plan

from hortus.core import ids
from hortus.core.db import Database, Tx
from hortus.core.db.bulk import BulkStatement
from hortus.ledger import accounts, balances, entries, grants, reservations

TABLES = "credit_accounts|credit_grants|credit_reservations|reservation_parts|ledger_entries"
COLUMNS = ("id", "reference", "wanted", "user_id", "account", "grant_id")
FILL = (
    "INSERT INTO credit_accounts SELECT p || n, 0, 0, 0 FROM {n}",
    "INSERT INTO credit_grants SELECT p || n, p || n, p || n, '', 1, 1, 1, 0, 0, 0, true, NULL, {t} FROM {n}",
    "INSERT INTO credit_reservations SELECT p || n, p || n, 1, 0, 'settled', {t}, {t}, {t} FROM {n}",
    "INSERT INTO reservation_parts SELECT p || n, 0, p || n, 1 FROM {n}",
    "INSERT INTO ledger_entries SELECT p || n, p || n, 1, 'x', '', p || n, NULL, {t} FROM {n}",
)
NUMBERS = {
    "sqlite": "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 30000) SELECT n, '{p}' AS p "
    "FROM c) AS numbers",
    "postgresql": "(SELECT n, '{p}' AS p FROM generate_series(1, 30000) AS n) AS numbers",
}


def statements(dialect: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for module in (accounts, balances, entries, grants, reservations):
        for name, value in vars(module).items():
            if isinstance(value, BulkStatement):
                found[f"{module.__name__}.{name}"] = value.text(dialect)
            elif isinstance(value, TextClause):
                found[f"{module.__name__}.{name}"] = value.text
    return found


async def explain(tx: Tx, sql: str) -> str:
    values = {
        "rows": "'[" + "{" + ",".join(f'"{name}":"x1"' for name in COLUMNS) + "}]'",
        "now": "'2026-11-21 00:00:00'",
        "limit": "10",
    }
    sql = re.sub(r"(?<!:):(\w+)", lambda match: values.get(match[1], "'x1'"), sql)
    return await query_plan(tx, sql)


async def test_no_statement_scans_a_table(database: Database):
    numbers = NUMBERS[database.dialect].replace("{p}", ids.new()[:8])
    async with database.transaction() as tx:
        for statement in FILL:
            await tx.execute(text(statement.replace("{n}", numbers).replace("{t}", "'2026-01-01'")))
    async with database.transaction() as tx:
        await tx.execute(text("ANALYZE"))
    scan = re.compile(rf"(Seq Scan on|SCAN) ({TABLES}|[agrp])\b(?!.* USING (COVERING )?INDEX)")
    found = statements(database.dialect)
    assert len(found) >= 18
    async with database.snapshot() as tx:
        plans = {name: await explain(tx, sql) for name, sql in found.items()}
    if database.dialect == "sqlite":
        # SQLite plans a look at a parent's children and skips it while no foreign key is broken.
        del plans["hortus.ledger.grants._INSERT"]
    bad = {name: plan for name, plan in plans.items() if scan.search(plan)}
    if bad:
        pytest.fail("\n\n".join(f"{name}\n{plan}" for name, plan in bad.items()))
