"""The login throttle: wrong passwords delay their sender without locking out the owner of the account.

Attempts are counted in buckets, each a row with the time of the next allowed attempt:

- a device on which the account was used before has a bucket of its own, and no other;
- all others share one bucket per account and network, and one per network over all accounts;
- attempts from a network without a device of the account also count in a bucket of the account as a whole.

An attacker with many addresses therefore fills a bucket that the owner's devices and networks do not use. An attempt is
counted before the password is checked, in one statement, so that concurrent attempts are counted; a correct password
refunds it. Unknown accounts have the same buckets.
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
from hortus.core.errors import TooManyRequests
from hortus.core.settings import Settings

FORGOTTEN_AFTER = timedelta(hours=1)
TOO_MANY = (
    "Too many wrong tries. Wait for `retry_after` seconds, or sign in on a device that you have used before, "
    "or with a one-time code."
)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where an attempt is counted: `free` attempts are not delayed, then each delay is twice the one before."""

    key: str
    free: int
    longest: int
    """Seconds that no wait exceeds."""
    own: bool
    """Whether only attempts at this account from this device or network count here: a success clears it."""


class Throttle:
    """The buckets of this installation; none with RATE_LIMITS_ENABLED=false."""

    def __init__(self, settings: Settings) -> None:
        self._key = settings.keys_for("login throttle")[0]
        self._enabled = settings.rate_limits_enabled

    def for_sign_in(self, identifier: str, network: str, known: KnownDevice) -> Sequence[Bucket]:
        """The buckets of an attempt at the account of `identifier`."""
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

    def for_reauthentication(self, user_id: str) -> Sequence[Bucket]:
        """The bucket of a signed-in user who reauthenticates with the password."""
        return self._listed(Bucket(self._digest("reauthentication", user_id), 10, 300, own=True))

    def _listed(self, *buckets: Bucket) -> Sequence[Bucket]:
        # In one order, so that two sign-ins never wait for each other's rows.
        return sorted(buckets, key=lambda bucket: bucket.key) if self._enabled else ()

    def _digest(self, *parts: str) -> str:
        return hmac.digest(self._key, "\0".join(parts).encode(), "sha256").hex()


async def consume(tx: Tx, buckets: Sequence[Bucket]) -> None:
    """Count an attempt in every bucket. Raises TooManyRequests; the transaction must then roll back."""
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
            raise TooManyRequests(
                TOO_MANY, headers={"Retry-After": str(wait)}, retry_after=wait, limit="wrong_passwords"
            )


async def refund(tx: Tx, buckets: Sequence[Bucket]) -> None:
    """Refund a successful attempt: clear its own buckets and decrement the shared ones."""
    for bucket in buckets:
        if bucket.own:
            await tx.execute(delete(LoginThrottleBucket).where(LoginThrottleBucket.key == bucket.key))
        else:
            uncounted = update(LoginThrottleBucket).where(
                LoginThrottleBucket.key == bucket.key, LoginThrottleBucket.failures > 0
            )
            await tx.execute(uncounted.values(failures=LoginThrottleBucket.failures - 1, next_at=clock.EPOCH))


async def sweep_buckets(tx: Tx, limit: int = 1000) -> int:
    """Delete up to `limit` expired buckets; returns how many."""
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
