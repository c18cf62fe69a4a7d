"""Balance of a user."""

from dataclasses import dataclass

from sqlalchemy import BigInteger, String, bindparam, text

from hortus.core import clock
from hortus.core.db import UtcDateTime
from hortus.core.db.compiled_select import Executor, PreparedSelect

_BALANCE = PreparedSelect(
    text(
        "SELECT a.balance - COALESCE((SELECT SUM(g.remaining - g.held) FROM credit_grants AS g "
        "WHERE g.user_id = a.user_id AND g.is_open AND g.expires_at <= :now), 0) AS balance, a.held AS held "
        "FROM credit_accounts AS a WHERE a.user_id = :user_id"
    )
    .bindparams(bindparam("user_id", type_=String()), bindparam("now", type_=UtcDateTime()))
    .columns(balance=BigInteger(), held=BigInteger())
)


@dataclass(frozen=True, slots=True)
class Balance:
    """Micro-credits. `available` = `balance` - `held`; both are negative while a debt is open."""

    balance: int
    held: int

    @property
    def available(self) -> int:
        """Micro-credits that can be reserved now; negative while a debt is open."""
        return self.balance - self.held


async def balance(executor: Executor, user_id: str) -> Balance:
    """The user's credits without expired ones, even before the periodic task has booked the expiry."""
    rows = await executor.read(_BALANCE, user_id=user_id, now=clock.now())
    return Balance(int(rows[0].balance), int(rows[0].held)) if rows else Balance(0, 0)
