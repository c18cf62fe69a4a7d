"""The partial check finds every violation of the full one over several runs, at a cost that does not grow."""

from datetime import timedelta

import pytest
from sqlalchemy import event, text
from tests.helpers.query_plans import query_plan

from hortus import ledger
from hortus.core import ids
from hortus.core.db import Database
from hortus.core.invariant_checks import CheckResult
from hortus.ledger import invariants

LASTS = timedelta(minutes=5)
HARM = {
    "balance": "UPDATE credit_accounts SET balance = balance + 3 WHERE user_id = :user",
    "held": "UPDATE credit_accounts SET held = held + 1 WHERE user_id = :user",
    "a grant's held": "UPDATE credit_grants SET held = held + 1 WHERE user_id = :user",
    "remaining": "UPDATE credit_grants SET remaining = remaining - 1 WHERE user_id = :user",
    "a settlement": "UPDATE credit_reservations SET settled_amount = 1 WHERE user_id = :user AND status = 'settled'",
    "the parts": "UPDATE reservation_parts SET amount = amount + 1 WHERE reference IN "
    "(SELECT reference FROM credit_reservations WHERE user_id = :user)",
    "a one-sided entry": "INSERT INTO ledger_entries (id, account, amount, kind, reason, reference, created_at) "
    "SELECT 'f' || substr(id, 2), account, 7, kind, reason, 'x' || reference, created_at "
    "FROM ledger_entries WHERE account = :user AND amount > 0",
    "an account without a row": "INSERT INTO ledger_entries (id, account, amount, kind, reason, reference, created_at) "
    "SELECT 'f' || substr(id, 2), 'nobody', 7, kind, reason, 'x' || reference, created_at "
    "FROM ledger_entries WHERE account = :user AND amount > 0",
    "a stale hold": "UPDATE credit_reservations SET expires_at = '2020-01-01 00:00:00' "
    "WHERE user_id = :user AND status = 'open'",
}

FILL = (
    "INSERT INTO credit_accounts SELECT 'a' || n, 1, 0, 0 {many}",
    "INSERT INTO credit_grants SELECT 'a' || n, 'a' || n, 'a' || n, '', 1, 1, 1, 0, 0, 0, true, NULL, {then} {many}",
    "INSERT INTO credit_reservations SELECT 'r' || n, 'a' || n, 1, 0, 'released', {then}, {then}, {then} {many}",
    "INSERT INTO reservation_parts SELECT 'r' || n, 0, 'a' || n, 1 {many}",
    "INSERT INTO ledger_entries SELECT 'a' || n, 'a' || n, 1, 'x', '', 'a' || n, NULL, {then} {many}",
    "INSERT INTO ledger_entries SELECT 'b' || n, 'issued', -1, 'x', '', 'a' || n, NULL, {then} {many}",
)


async def somebody(database: Database) -> str:
    user = ids.new()
    async with database.transaction() as tx:
        await ledger.grant(tx, user, 1000, reference=f"pay:{user}", reason="Pack")
        for number in range(2):
            await ledger.reserve(tx, user, 10, reference=f"{user}:{number}", lasts=LASTS)
        await ledger.settle(tx, f"{user}:0")
    return user


async def look(database: Database, after: str = "") -> CheckResult:
    async with database.snapshot() as tx:
        return await ledger.check_some_invariants(tx, after)


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
async def test_what_is_broken_is_found(database: Database, harm: str):
    user = await somebody(database)
    assert (await look(database)).violations == []
    async with database.transaction() as tx:
        await tx.execute(text(harm), {"user": user})
    assert (await look(database)).violations
    async with database.long_snapshot() as tx:
        assert await ledger.check_invariants(tx)


async def test_everybody_has_their_turn(database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(invariants, "ACCOUNTS_PER_RUN", 3)
    monkeypatch.setattr(invariants, "LATEST", 2)
    users = [await somebody(database) for _ in range(7)]
    async with database.transaction() as tx:
        await tx.execute(text(HARM["balance"]), {"user": users[1]})
        await tx.execute(text(HARM["balance"]), {"user": users[4]})
    found, after, turns = [], "", 0
    while True:
        seen = await look(database, after)
        found += seen.violations
        after, turns = seen.cursor, turns + 1
        if not after:
            break
    assert turns == 3
    assert {user for user in users if any(user in line for line in found)} == {users[1], users[4]}


async def test_it_costs_the_same_with_many_rows(database: Database):
    """No statement of it reads a table that grows from end to end."""
    await somebody(database)
    many = (
        "FROM (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 20000) SELECT n FROM c) AS c"
        if database.dialect == "sqlite"
        else "FROM generate_series(1, 20000) AS c(n)"
    )
    then = "'2020-01-01 00:00:00'"
    async with database.transaction() as tx:
        for statement in FILL:
            await tx.execute(text(statement.replace("{many}", many).replace("{then}", then)))
    async with database.transaction() as tx:
        await tx.execute(text("ANALYZE"))
    asked: list[tuple[str, tuple[str, ...]]] = []

    def note(_connection, _cursor, statement: str, parameters, _context, _many) -> None:
        asked.append((statement, parameters))

    async with database.snapshot() as tx:
        engine = tx.get_bind()
        event.listen(engine, "before_cursor_execute", note)
        found = await ledger.check_some_invariants(tx)
        event.remove(engine, "before_cursor_execute", note)
        assert found.violations == []
        assert len(asked) > 10
        for statement, parameters in asked:
            plan = await query_plan(tx, statement, parameters, without=("seqscan",))  # it then stands where no index is
            whole = [line for line in plan.splitlines() if _reads_all(line)]
            assert whole == [], f"{statement}\n{plan}"


def _reads_all(line: str) -> bool:
    if "Seq Scan on" in line:
        return True
    return line.startswith("SCAN ") and " USING " not in line and not line.startswith(("SCAN e", "SCAN p", "SCAN g"))
