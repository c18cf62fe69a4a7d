"""Wrong passwords slow down whoever sends them, and never keep the owner of an account out.

Tries run in lanes, each a counted row that says when the next try may come:

- a device on which the account was used before has a lane of its own and meets no other;
- everybody else shares one per account and network, and one per network over all accounts;
- whoever also comes from a network where none of its devices was last used meets a third, of the account as a whole.

So an attacker with many addresses fills the lane that the owner's devices and home do not use. A try is counted
before the password is looked at, in one statement, so that parallel tries cannot slip past; a good one is taken
back. Unknown accounts have the same lanes.
"""

import hmac
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import case, delete, select, update

from hortus.accounts import KnownDevice
from hortus.auth.tables import LoginThrottleBucket
from hortus.core import clock
from hortus.core.db import Tx
from hortus.core.errors import RateLimited
from hortus.core.settings import Settings

FORGOTTEN_AFTER = timedelta(hours=1)
TOO_MANY = (
    "Too many wrong tries. Wait for `retry_after` seconds, or sign in on a device that you have used before, "
    "or with a one-time code."
)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where a try is counted: `free` tries cost nothing, then each costs twice the wait of the one before."""

    key: str
    free: int
    longest: int
    """Seconds that no wait exceeds."""
    own: bool
    """Whether only tries at this very account from this very side run here: a good one clears it."""


class Throttle:
    """Makes the lanes of this installation. RATE_LIMITS_ENABLED=false leaves none."""

    def __init__(self, settings: Settings) -> None:
        self._key = settings.keys_for("login throttle")[0]
        self._enabled = settings.rate_limits_enabled

    def of_sign_in(self, identifier: str, network: str, known: KnownDevice) -> Sequence[Bucket]:
        """The lanes of a try at the account that `identifier` names, if any."""
        if known.device_id is not None:
            return self._listed(Bucket(self._digest("device", identifier, known.device_id), 10, 300, own=True))
        buckets = [
            Bucket(self._digest("pair", identifier, network), 10, 300, own=True),
            Bucket(self._digest("network", network), 50, 30, own=False),
        ]
        if not known.network:
            # At most 20 + 6 + 59 tries an hour, and 10 from each network where the account is used.
            buckets.append(Bucket(self._digest("account", identifier), 20, 60, own=False))
        return self._listed(*buckets)

    def of_proof(self, user_id: str) -> Sequence[Bucket]:
        """The lane of a password that somebody signed in gives again."""
        return self._listed(Bucket(self._digest("proof", user_id), 10, 300, own=True))

    def _listed(self, *buckets: Bucket) -> Sequence[Bucket]:
        # In one order, so that two sign-ins never wait for each other's rows.
        return sorted(buckets, key=lambda bucket: bucket.key) if self._enabled else ()

    def _digest(self, *parts: str) -> str:
        return hmac.digest(self._key, "\0".join(parts).encode(), "sha256").hex()


async def consume(tx: Tx, buckets: Sequence[Bucket]) -> None:
    """Count a try in every lane; raises RateLimited, and then counts it in none (the transaction must roll back)."""
    now = clock.now()
    for bucket in buckets:
        counted = case(
            (LoginThrottleBucket.updated_at < now - FORGOTTEN_AFTER, 1), else_=LoginThrottleBucket.failures + 1
        )
        steps = range(1, math.ceil(math.log2(bucket.longest)) + 1)
        waits = [(counted <= bucket.free, clock.EPOCH)]  # open to all: another's clock may be a moment behind
        waits += [(counted == bucket.free + step, now + timedelta(seconds=2 ** (step - 1))) for step in steps]
        statement = (
            tx.insert(LoginThrottleBucket)
            .values(key=bucket.key, failures=1, next_at=clock.EPOCH, updated_at=now)
            .on_conflict_do_update(
                index_elements=["key"],
                set_={
                    "failures": counted,
                    "next_at": case(*waits, else_=now + timedelta(seconds=bucket.longest)),
                    "updated_at": now,
                },
                where=LoginThrottleBucket.next_at <= now,
            )
            .returning(LoginThrottleBucket.key)
        )
        if (await tx.execute(statement)).first() is None:
            next_at = (
                await tx.execute(select(LoginThrottleBucket.next_at).where(LoginThrottleBucket.key == bucket.key))
            ).scalar_one()
            wait = max(1, math.ceil((next_at - now).total_seconds()))
            raise RateLimited(TOO_MANY, headers={"Retry-After": str(wait)}, retry_after=wait, limit="wrong_passwords")


async def refund(tx: Tx, buckets: Sequence[Bucket]) -> None:
    """The try was good: clear its own lanes and uncount it in the shared ones."""
    for bucket in buckets:
        if bucket.own:
            await tx.execute(delete(LoginThrottleBucket).where(LoginThrottleBucket.key == bucket.key))
        else:
            uncounted = update(LoginThrottleBucket).where(
                LoginThrottleBucket.key == bucket.key, LoginThrottleBucket.failures > 0
            )
            await tx.execute(uncounted.values(failures=LoginThrottleBucket.failures - 1, next_at=clock.EPOCH))


async def sweep_buckets(tx: Tx, limit: int = 1000) -> int:
    """Forget lanes that nobody used for a while, a bounded number; how many."""
    old = (
        select(LoginThrottleBucket.key)
        .where(LoginThrottleBucket.updated_at < clock.now() - FORGOTTEN_AFTER)
        .order_by(LoginThrottleBucket.updated_at)
        .limit(limit)
    )
    gone = await tx.execute(
        delete(LoginThrottleBucket).where(LoginThrottleBucket.key.in_(old)).returning(LoginThrottleBucket.key)
    )
    return len(gone.all())
