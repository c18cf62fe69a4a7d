"""The invariants of the ledger: each is one query, over all rows or over a few users and references.

`check_invariants` reads every row: for tests, and a few times a day. The cost of
`check_some_invariants` does not grow with the tables: it checks the latest entries, their users, and the other accounts
part by part.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import String, bindparam, text

from hortus.core import clock
from hortus.core.db import Tx, UtcDateTime
from hortus.core.invariant_checks import CheckResult
from hortus.ledger.entries import CLAWED_BACK, EXPIRED, ISSUED, REVENUE

SLACK: Final = timedelta(minutes=15)
"""How late the sweep of overdue reservations may be."""
SHOWN: Final = 20
"""Violations reported per invariant."""

LATEST: Final = 500
"""How many of the latest entries `check_some_invariants` reads."""
ACCOUNTS_PER_RUN: Final = 100
"""How many further accounts each run reads."""
MAX_ENTRIES_PER_ACCOUNT: Final = 5000
"""Entries of one account above which only `check_invariants` adds them up."""

# Each gives (subject, found, expected) for a violation. `<and users a.user_id>` stands for a condition that only
# `check_some_invariants` adds. An invariant without such a place reads every row and is checked by `check_invariants`
# alone, but for `<flat>`: its cost does not grow.
_INVARIANTS: Final = {
    "entries of reference {} sum to {}, not {}": (
        "SELECT reference, SUM(amount), 0 FROM ledger_entries<where references reference> "
        "GROUP BY reference HAVING SUM(amount) <> 0"
    ),
    "the {} sums to {}, not {}": "SELECT 'ledger', SUM(amount), 0 FROM ledger_entries HAVING SUM(amount) <> 0",
    "account {} has balance {}, its entries sum to {}": (
        "SELECT a.user_id, a.balance, COALESCE(e.total, 0) FROM credit_accounts AS a LEFT JOIN "
        "(SELECT account, SUM(amount) AS total FROM ledger_entries<where users account> GROUP BY account) AS e "
        "ON e.account = a.user_id WHERE a.balance <> COALESCE(e.total, 0)<and users a.user_id>"
    ),
    "account {} has entries of {} and no row ({})": (
        "SELECT e.account, SUM(e.amount), 0 FROM ledger_entries AS e LEFT JOIN credit_accounts AS a "
        "ON a.user_id = e.account WHERE a.user_id IS NULL "
        "AND e.account NOT IN ('issued', 'revenue', 'expired', 'clawed_back')<and users e.account> GROUP BY e.account"
    ),
    "account {} holds {}, its open reservations {}": (
        "SELECT a.user_id, a.held, COALESCE(r.total, 0) FROM credit_accounts AS a LEFT JOIN "
        "(SELECT user_id, SUM(amount) AS total FROM credit_reservations WHERE status = 'open'<and users user_id> "
        "GROUP BY user_id) AS r ON r.user_id = a.user_id WHERE a.held <> COALESCE(r.total, 0)<and users a.user_id>"
    ),
    "reservation {} of {} has no account row ({})": (
        "SELECT r.reference, r.amount, 0 FROM credit_reservations AS r LEFT JOIN credit_accounts AS a "
        "ON a.user_id = r.user_id WHERE a.user_id IS NULL AND r.amount > 0<and references r.reference>"
    ),
    "reservation {} is of {}, its parts of {}": (
        "SELECT r.reference, r.amount, COALESCE(p.total, 0) FROM credit_reservations AS r LEFT JOIN "
        "(SELECT reference, SUM(amount) AS total FROM reservation_parts<where references reference> "
        "GROUP BY reference) AS p ON p.reference = r.reference "
        "WHERE r.amount <> COALESCE(p.total, 0)<and references r.reference>"
    ),
    "grant {} holds {}, its parts of open reservations {}": (
        "SELECT g.id, g.held, COALESCE(p.total, 0) FROM credit_grants AS g LEFT JOIN "
        "(SELECT p.grant_id, SUM(p.amount) AS total FROM reservation_parts AS p JOIN credit_reservations AS r "
        "ON r.reference = p.reference WHERE r.status = 'open'<and users r.user_id> GROUP BY p.grant_id) AS p "
        "ON p.grant_id = g.id WHERE g.held <> COALESCE(p.total, 0)<and users g.user_id>"
    ),
    "account {} has {} by its balance and debt, its grants have {}": (
        "SELECT a.user_id, a.balance + a.debt, COALESCE(g.total, 0) FROM credit_accounts AS a LEFT JOIN "
        "(SELECT user_id, SUM(remaining) AS total FROM credit_grants<where users user_id> GROUP BY user_id) AS g "
        "ON g.user_id = a.user_id WHERE a.balance + a.debt <> COALESCE(g.total, 0)<and users a.user_id>"
    ),
    "account {} owes {} and could pay {}": (
        "SELECT a.user_id, a.debt, SUM(g.remaining - g.held) FROM credit_accounts AS a JOIN credit_grants AS g "
        "ON g.user_id = a.user_id WHERE a.debt > 0 AND g.is_open AND (g.expires_at IS NULL OR g.expires_at > :now)"
        "<and users a.user_id> GROUP BY a.user_id, a.debt HAVING SUM(g.remaining - g.held) > 0"
    ),
    "settlement {} is of {}, its entry of {}": (
        "SELECT r.reference, r.settled_amount, COALESCE(-e.amount, 0) FROM credit_reservations AS r "
        "LEFT JOIN ledger_entries AS e ON e.reference = r.reference AND e.account = r.user_id "
        "WHERE r.settled_amount <> COALESCE(-e.amount, 0)<and references r.reference>"
    ),
    "grant {} is of {}, its entry of {}": (
        "SELECT g.id, g.amount, COALESCE(e.amount, 0) FROM credit_grants AS g LEFT JOIN ledger_entries AS e "
        "ON e.reference = g.reference AND e.account = g.user_id "
        "WHERE g.amount <> COALESCE(e.amount, 0)<and users g.user_id>"
    ),
    "grant {} lost {} to expiry and refunds, its entries say {}": (
        "SELECT g.id, g.expired + g.clawed_back, COALESCE(e.total, 0) FROM credit_grants AS g LEFT JOIN "
        "(SELECT grant_id, SUM(amount) AS total FROM ledger_entries WHERE account IN ('expired', 'clawed_back') "
        "GROUP BY grant_id) AS e ON e.grant_id = g.id WHERE g.expired + g.clawed_back <> COALESCE(e.total, 0)"
    ),
    "reservation {} of {} is open past its end {}": (
        "SELECT reference, amount, expires_at FROM credit_reservations "
        "WHERE status = 'open' AND expires_at < :overdue<flat>"
    ),
}


_SCOPE: Final = re.compile(r"<(?:(where|and) (users|references) ([a-z_.]+)|flat)>")
_LATEST: Final = text("SELECT reference, account FROM ledger_entries ORDER BY id DESC LIMIT :limit")
_PART: Final = text(
    "SELECT user_id FROM credit_accounts WHERE user_id > :after ORDER BY user_id LIMIT :limit"
)  # fmt: skip
_HEAVY: Final = text(
    "SELECT a.user_id FROM credit_accounts AS a WHERE a.user_id IN :users AND EXISTS "
    "(SELECT 1 FROM ledger_entries AS e WHERE e.account = a.user_id LIMIT 1 OFFSET :heavy)"
).bindparams(bindparam("users", type_=String(), expanding=True))


async def check_invariants(tx: Tx) -> list[str]:
    """One line for each violation; an empty list if every invariant holds. Reads every row."""
    broken: list[str] = []
    for sentence, sql in _INVARIANTS.items():
        broken += await _violations(tx, sentence, _SCOPE.sub("", sql), {})
    return broken


async def check_some_invariants(tx: Tx, after: str = "") -> CheckResult:
    """Violations among the latest entries, their users, and the accounts that follow `after`.

    `cursor` of the result is `after` of the next run; it is empty after the last account.
    """
    latest = (await tx.execute(_LATEST, {"limit": LATEST})).all()
    part = (await tx.execute(_PART, {"after": after, "limit": ACCOUNTS_PER_RUN})).scalars().all()
    references = sorted({row.reference for row in latest})
    users = {row.account for row in latest}.union(part).difference((ISSUED, REVENUE, EXPIRED, CLAWED_BACK))
    if users:
        users.difference_update(
            (await tx.execute(_HEAVY, {"users": sorted(users), "heavy": MAX_ENTRIES_PER_ACCOUNT})).scalars()
        )
    chosen = {"users": sorted(users), "references": references}
    result = CheckResult(checked=len(users) + len(references), cursor=part[-1] if len(part) == ACCOUNTS_PER_RUN else "")
    for sentence, sql in _INVARIANTS.items():
        if _SCOPE.search(sql):
            result.violations += await _violations(tx, sentence, _SCOPE.sub(_condition, sql), chosen)
            await asyncio.sleep(0)  # on SQLite this thread has other things to do, too
    return result


def _condition(found: re.Match[str]) -> str:
    return f" {found[1].upper()} {found[3]} IN :{found[2]}" if found[1] else ""


async def _violations(tx: Tx, sentence: str, sql: str, chosen: Mapping[str, Sequence[str]]) -> list[str]:
    now = clock.now()
    values: dict[str, Any] = {"now": now, "overdue": now - SLACK, **chosen}
    used = {name: value for name, value in values.items() if re.search(rf":{name}\b", sql)}
    bound = [
        bindparam(name, type_=String(), expanding=True) if name in chosen else bindparam(name, type_=UtcDateTime())
        for name in used
    ]
    query = text(f"{sql} LIMIT {SHOWN}").bindparams(*bound)
    return [sentence.format(*row) for row in await tx.execute(query, used)]
