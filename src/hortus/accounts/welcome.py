"""The welcome credit is given once to each person, however often they sign up again."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from hortus.accounts.tables import Welcomed
from hortus.accounts.targets import Target, person_digests
from hortus.core import clock
from hortus.core.db import Database, Tx
from hortus.core.signals import Signal

user_welcomed: Signal[str] = Signal("accounts.user_welcomed")
"""Sent with the user's id in the transaction in which a person becomes known to us for the first time."""

_CARRIED = "accounts.welcome"


@dataclass(frozen=True, slots=True)
class Welcome:
    """The rule: a person is welcomed when an address or number of theirs is verified.

    Where nobody but the operator is reached by mail (or text message), nobody could verify anything: there they are
    welcomed when they say it.
    """

    keys: Sequence[bytes]
    """Keys of the digests by which a person is recognised: today's first."""
    real_mail: bool
    real_sms: bool

    def carry(self, database: Database) -> None:
        """Let this rule hold in every transaction of that database."""
        database.carried[_CARRIED] = self

    def waits(self, target: Target) -> bool:
        """Whether nobody is welcomed for this target before it is verified."""
        return self.real_mail if target.kind == "email" else self.real_sms


async def welcome(tx: Tx, user_id: str, target: Target, *, verified: bool) -> None:
    """Say this when a user gets or verifies an identifier; again is fine. Greets each person once, for ever."""
    rule = tx.info.get(_CARRIED)
    if not isinstance(rule, Welcome) or (rule.waits(target) and not verified):
        return
    if await _first_time(tx, rule.keys, target):
        await user_welcomed.send(tx, user_id)


async def _first_time(tx: Tx, keys: Sequence[bytes], target: Target) -> bool:
    """True once for a person behind a target: all spellings of one mailbox are one person."""
    newest, *older = person_digests(keys, target)
    if older:  # written under a key that was replaced since
        known = select(Welcomed.digest).where(Welcomed.digest.in_(older)).limit(1)
        if (await tx.execute(known)).first() is not None:
            return False
    row = {"digest": newest, "welcomed_at": clock.now()}
    statement = tx.insert(Welcomed).values(row).on_conflict_do_nothing().returning(Welcomed.digest)
    return (await tx.execute(statement)).first() is not None
