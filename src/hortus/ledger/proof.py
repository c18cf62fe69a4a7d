"""The proof that the books are right: each invariant is one query, cheap enough for millions of rows."""

from datetime import timedelta
from typing import Final

from sqlalchemy import bindparam, text

from hortus.core import clock
from hortus.core.db import Moment, Tx

SLACK: Final = timedelta(minutes=15)
"""How late the sweep of overdue reservations may be."""
SHOWN: Final = 20
"""Broken rows shown per invariant."""

# Each gives (what, found, expected) for what is broken.
_INVARIANTS: Final = {
    "entries of reference {} sum to {}, not {}": (
        "SELECT reference, SUM(amount), 0 FROM ledger_entries GROUP BY reference HAVING SUM(amount) <> 0"
    ),
    "the {} sums to {}, not {}": "SELECT 'ledger', SUM(amount), 0 FROM ledger_entries HAVING SUM(amount) <> 0",
    "account {} has balance {}, its entries sum to {}": (
        "SELECT a.user_id, a.balance, COALESCE(e.total, 0) FROM credit_accounts AS a LEFT JOIN "
        "(SELECT account, SUM(amount) AS total FROM ledger_entries GROUP BY account) AS e ON e.account = a.user_id "
        "WHERE a.balance <> COALESCE(e.total, 0)"
    ),
    "account {} has entries of {} and no row ({})": (
        "SELECT e.account, SUM(e.amount), 0 FROM ledger_entries AS e LEFT JOIN credit_accounts AS a "
        "ON a.user_id = e.account WHERE a.user_id IS NULL "
        "AND e.account NOT IN ('issued', 'revenue', 'expired', 'clawed_back') GROUP BY e.account"
    ),
    "account {} holds {}, its open reservations {}": (
        "SELECT a.user_id, a.held, COALESCE(r.total, 0) FROM credit_accounts AS a LEFT JOIN "
        "(SELECT user_id, SUM(amount) AS total FROM credit_reservations WHERE status = 'open' GROUP BY user_id) AS r "
        "ON r.user_id = a.user_id WHERE a.held <> COALESCE(r.total, 0)"
    ),
    "reservation {} of {} has no account row ({})": (
        "SELECT r.reference, r.amount, 0 FROM credit_reservations AS r LEFT JOIN credit_accounts AS a "
        "ON a.user_id = r.user_id WHERE a.user_id IS NULL AND r.amount > 0"
    ),
    "reservation {} is of {}, its parts of {}": (
        "SELECT r.reference, r.amount, COALESCE(p.total, 0) FROM credit_reservations AS r LEFT JOIN "
        "(SELECT reference, SUM(amount) AS total FROM reservation_parts GROUP BY reference) AS p "
        "ON p.reference = r.reference WHERE r.amount <> COALESCE(p.total, 0)"
    ),
    "grant {} holds {}, its parts of open reservations {}": (
        "SELECT g.id, g.held, COALESCE(p.total, 0) FROM credit_grants AS g LEFT JOIN "
        "(SELECT p.grant_id, SUM(p.amount) AS total FROM reservation_parts AS p JOIN credit_reservations AS r "
        "ON r.reference = p.reference WHERE r.status = 'open' GROUP BY p.grant_id) AS p ON p.grant_id = g.id "
        "WHERE g.held <> COALESCE(p.total, 0)"
    ),
    "account {} has {} by its balance and debt, its grants have {}": (
        "SELECT a.user_id, a.balance + a.debt, COALESCE(g.total, 0) FROM credit_accounts AS a LEFT JOIN "
        "(SELECT user_id, SUM(remaining) AS total FROM credit_grants GROUP BY user_id) AS g ON g.user_id = a.user_id "
        "WHERE a.balance + a.debt <> COALESCE(g.total, 0)"
    ),
    "account {} owes {} and could pay {}": (
        "SELECT a.user_id, a.debt, SUM(g.remaining - g.held) FROM credit_accounts AS a JOIN credit_grants AS g "
        "ON g.user_id = a.user_id WHERE a.debt > 0 AND g.is_open AND (g.expires_at IS NULL OR g.expires_at > :now) "
        "GROUP BY a.user_id, a.debt HAVING SUM(g.remaining - g.held) > 0"
    ),
    "settlement {} is of {}, its entry of {}": (
        "SELECT r.reference, r.settled_amount, COALESCE(-e.amount, 0) FROM credit_reservations AS r "
        "LEFT JOIN ledger_entries AS e ON e.reference = r.reference AND e.account = r.user_id "
        "WHERE r.settled_amount <> COALESCE(-e.amount, 0)"
    ),
    "grant {} is of {}, its entry of {}": (
        "SELECT g.id, g.amount, COALESCE(e.amount, 0) FROM credit_grants AS g LEFT JOIN ledger_entries AS e "
        "ON e.reference = g.reference AND e.account = g.user_id WHERE g.amount <> COALESCE(e.amount, 0)"
    ),
    "grant {} lost {} to expiry and refunds, its entries say {}": (
        "SELECT g.id, g.expired + g.clawed_back, COALESCE(e.total, 0) FROM credit_grants AS g LEFT JOIN "
        "(SELECT grant_id, SUM(amount) AS total FROM ledger_entries WHERE account IN ('expired', 'clawed_back') "
        "GROUP BY grant_id) AS e ON e.grant_id = g.id WHERE g.expired + g.clawed_back <> COALESCE(e.total, 0)"
    ),
    "reservation {} of {} is open past its end {}": (
        "SELECT reference, amount, expires_at FROM credit_reservations WHERE status = 'open' AND expires_at < :overdue"
    ),
}


async def prove(tx: Tx) -> list[str]:
    """Every broken invariant as one line; an empty list when the books are right."""
    now = clock.now()
    times = {"now": now, "overdue": now - SLACK}
    broken: list[str] = []
    for sentence, sql in _INVARIANTS.items():
        used = {name: moment for name, moment in times.items() if f":{name}" in sql}
        query = text(f"{sql} LIMIT {SHOWN}").bindparams(*(bindparam(name, type_=Moment()) for name in used))
        broken += [sentence.format(*row) for row in await tx.execute(query, used)]
    return broken
