"""What a user has."""

from dataclasses import dataclass

from sqlalchemy import bindparam, text

from hortus.core import clock
from hortus.core.db import Moment, Tx

_BALANCE = text(
    "SELECT a.balance - COALESCE((SELECT SUM(g.remaining - g.held) FROM credit_grants AS g "
    "WHERE g.user_id = a.user_id AND g.is_open AND g.expires_at <= :now), 0), a.held "
    "FROM credit_accounts AS a WHERE a.user_id = :user_id"
).bindparams(bindparam("now", type_=Moment()))


@dataclass(frozen=True, slots=True)
class Balance:
    """Micro-credits. `available` = `balance` - `held`; both are negative while a debt is open."""

    balance: int
    held: int

    @property
    def available(self) -> int:
        """What can be reserved now, unless negative."""
        return self.balance - self.held


async def balance(tx: Tx, user_id: str) -> Balance:
    """The user's credits without those that are expired by now, also where no sweep has booked that yet."""
    row = (await tx.execute(_BALANCE, {"user_id": user_id, "now": clock.now()})).one_or_none()
    return Balance(0, 0) if row is None else Balance(int(row[0]), int(row[1]))
