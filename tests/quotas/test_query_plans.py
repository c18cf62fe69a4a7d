"""The hot path uses indexes: no statement reads a whole table that grows with the users."""

import re

import pytest
from sqlalchemy import text
from tests.helpers.query_plans import query_plan

from hortus import quotas
from hortus.core import ids
from hortus.core.db import Database, Tx
from hortus.core.db.bulk import BulkStatement
from hortus.quotas import statements

FILL = (
    "INSERT INTO user_plans SELECT p || n, '{plan}', NULL FROM {n}",
    "INSERT INTO quota_usage SELECT p || n, 'text', 'day', '2026-01-01', 0 FROM {n}",
    "INSERT INTO quota_uses SELECT p || n, p || n, 'text', 1, {t}, {t}, 'consumed', {t} FROM {n}",
)
NUMBERS = {
    "sqlite": "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 30000) SELECT n, '{p}' AS p "
    "FROM c) AS numbers",
    "postgresql": "(SELECT n, '{p}' AS p FROM generate_series(1, 30000) AS n) AS numbers",
}
VALUES = {
    "rows": """'[{"id":"x","who":"x","what":"text","period":"day","since":"2026-01-01","change":1,"number":1}]'""",
    "now": "'2026-11-21 00:00:00'",
    "day": "CAST('2026-01-01' AS date)",
    "month": "CAST('2026-01-01' AS date)",
}


async def explain(tx: Tx, sql: str) -> str:
    sql = re.sub(r"(?<!:):(\w+)", lambda match: VALUES.get(match[1], "'x'"), sql)
    return await query_plan(tx, sql)


async def test_no_statement_scans_a_table(planned: Database):
    numbers = NUMBERS[planned.dialect].replace("{p}", ids.new()[:8])
    async with planned.transaction() as tx:
        plan = (await quotas.offered_plans(tx))[0].id
        for statement in FILL:
            await tx.execute(
                text(statement.replace("{n}", numbers).replace("{plan}", plan).replace("{t}", "'2026-01-01'"))
            )
    async with planned.transaction() as tx:
        await tx.execute(text("ANALYZE"))
    found = {
        name: value.text(planned.dialect)
        for name, value in vars(statements).items()
        if isinstance(value, BulkStatement)
    }
    found["USAGE"] = str(statements.USAGE.statement)
    assert len(found) >= 9
    async with planned.snapshot() as tx:
        plans = {name: await explain(tx, sql) for name, sql in found.items()}
    scan = re.compile(r"(Seq Scan on|SCAN) (user_plans|quota_usage|quota_uses|h|q)\b(?!.* USING (COVERING )?INDEX)")
    bad = {name: plan for name, plan in plans.items() if scan.search(plan)}
    if bad:
        pytest.fail("\n\n".join(f"{name}\n{plan}" for name, plan in bad.items()))
