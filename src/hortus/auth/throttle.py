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

from hortus.accounts.devices import Known
from hortus.auth.tables import SignInLane
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
class Lane:
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
        self._key = settings.keys_for("sign-in lanes")[0]
        self._enabled = settings.rate_limits_enabled

    def of_sign_in(self, identifier: str, network: str, known: Known) -> Sequence[Lane]:
        """The lanes of a try at the account that `identifier` names, if any."""
        if known.device_id is not None:
            return self._listed(Lane(self._digest("device", identifier, known.device_id), 10, 300, own=True))
        lanes = [
            Lane(self._digest("pair", identifier, network), 10, 300, own=True),
            Lane(self._digest("network", network), 50, 30, own=False),
        ]
        if not known.network:
            # At most 20 + 6 + 59 tries an hour, and 10 from each network where the account is used.
            lanes.append(Lane(self._digest("account", identifier), 20, 60, own=False))
        return self._listed(*lanes)

    def of_proof(self, user_id: str) -> Sequence[Lane]:
        """The lane of a password that somebody signed in gives again."""
        return self._listed(Lane(self._digest("proof", user_id), 10, 300, own=True))

    def _listed(self, *lanes: Lane) -> Sequence[Lane]:
        # In one order, so that two sign-ins never wait for each other's rows.
        return sorted(lanes, key=lambda lane: lane.key) if self._enabled else ()

    def _digest(self, *parts: str) -> str:
        return hmac.digest(self._key, "\0".join(parts).encode(), "sha256").hex()


async def take(tx: Tx, lanes: Sequence[Lane]) -> None:
    """Count a try in every lane; raises RateLimited, and then counts it in none (the transaction must roll back)."""
    now = clock.now()
    for lane in lanes:
        counted = case((SignInLane.updated_at < now - FORGOTTEN_AFTER, 1), else_=SignInLane.failures + 1)
        steps = range(1, math.ceil(math.log2(lane.longest)) + 1)
        waits = [(counted <= lane.free, clock.EPOCH)]  # open to all: another's clock may be a moment behind
        waits += [(counted == lane.free + step, now + timedelta(seconds=2 ** (step - 1))) for step in steps]
        statement = (
            tx.insert(SignInLane)
            .values(key=lane.key, failures=1, next_at=clock.EPOCH, updated_at=now)
            .on_conflict_do_update(
                index_elements=["key"],
                set_={
                    "failures": counted,
                    "next_at": case(*waits, else_=now + timedelta(seconds=lane.longest)),
                    "updated_at": now,
                },
                where=SignInLane.next_at <= now,
            )
            .returning(SignInLane.key)
        )
        if (await tx.execute(statement)).first() is None:
            next_at = (await tx.execute(select(SignInLane.next_at).where(SignInLane.key == lane.key))).scalar_one()
            wait = max(1, math.ceil((next_at - now).total_seconds()))
            raise RateLimited(TOO_MANY, headers={"Retry-After": str(wait)}, retry_after=wait, limit="wrong_passwords")


async def take_back(tx: Tx, lanes: Sequence[Lane]) -> None:
    """The try was good: clear its own lanes and uncount it in the shared ones."""
    for lane in lanes:
        if lane.own:
            await tx.execute(delete(SignInLane).where(SignInLane.key == lane.key))
        else:
            uncounted = update(SignInLane).where(SignInLane.key == lane.key, SignInLane.failures > 0)
            await tx.execute(uncounted.values(failures=SignInLane.failures - 1, next_at=clock.EPOCH))


async def sweep_lanes(tx: Tx, limit: int = 1000) -> int:
    """Forget lanes that nobody used for a while, a bounded number; how many."""
    old = (
        select(SignInLane.key)
        .where(SignInLane.updated_at < clock.now() - FORGOTTEN_AFTER)
        .order_by(SignInLane.updated_at)
        .limit(limit)
    )
    gone = await tx.execute(delete(SignInLane).where(SignInLane.key.in_(old)).returning(SignInLane.key))
    return len(gone.all())
