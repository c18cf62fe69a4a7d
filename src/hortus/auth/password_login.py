"""Signing in by password: the same work and the same answer whether or not there is such an account."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request

from hortus.accounts import devices, users
from hortus.accounts.errors import AccountSuspended
from hortus.accounts.tables import MAY_ENTER
from hortus.auth import throttle
from hortus.auth.device_cookie import DeviceCookie
from hortus.auth.errors import BadCredentials
from hortus.auth.passwords import PasswordPool
from hortus.auth.throttle import Lane, Throttle
from hortus.core.db import Database, Tx
from hortus.core.resources import Resources
from hortus.core.web.deps import network_of


@dataclass(frozen=True, slots=True)
class Proved:
    """A password that was good a moment ago."""

    user_id: str
    stored: str
    fresh: str | None
    lanes: Sequence[Lane]


async def prove(request: Request, resources: Resources, kind: str, value: str, password: str) -> Proved:
    """Check the password of the account behind an identifier. Opens and closes its own transactions.

    Raises RateLimited after too many wrong tries, BadCredentials, AccountSuspended.
    """
    database, network = resources.get(Database), network_of(request)
    async with database.snapshot() as tx:
        found = await users.find_for_login(tx, kind, value)
        user_id, stored, status = found or ("", None, "active")
        known = await devices.recognise(tx, user_id, resources.get(DeviceCookie).read(request), network)
    lanes = resources.get(Throttle).of_sign_in(f"{kind} {value}", network, known)
    if lanes:
        async with database.transaction() as tx:
            await throttle.take(tx, lanes)
    good, fresh = await resources.get(PasswordPool).verify(password, stored)
    if not good or stored is None:
        raise BadCredentials
    if status not in MAY_ENTER:
        raise AccountSuspended
    return Proved(user_id, stored, fresh, lanes)


async def settle(tx: Tx, proved: Proved) -> None:
    """Say this in the transaction that opens the session: the try is taken back and an old hash replaced.

    Raises BadCredentials when the password was changed since it was looked at: whoever changed it has just
    ended every session, and this one must not slip in behind.
    """
    if not await users.keep_password_hash(tx, proved.user_id, proved.stored, proved.fresh):
        raise BadCredentials
    await throttle.take_back(tx, proved.lanes)
