"""Signing in by password: the same work and the same answer whether or not there is such an account."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request

from hortus.accounts import SIGN_IN_STATUSES, AccountSuspended, devices, users
from hortus.auth import throttle
from hortus.auth.device_cookie import DeviceCookie
from hortus.auth.errors import BadCredentials
from hortus.auth.passwords import PasswordPool
from hortus.auth.throttle import Bucket, Throttle
from hortus.core.db import Database, Tx
from hortus.core.resources import Resources
from hortus.core.web.deps import network_of


@dataclass(frozen=True, slots=True)
class VerifiedPassword:
    """A password that was verified, with the buckets to refund."""

    user_id: str
    stored: str
    fresh: str | None
    buckets: Sequence[Bucket]


async def verify_password(
    request: Request, resources: Resources, kind: str, value: str, password: str
) -> VerifiedPassword:
    """Check the password of the account behind an identifier. Opens and closes its own transactions.

    Raises TooManyRequests after too many wrong tries, BadCredentials, AccountSuspended.
    """
    database, network = resources[Database], network_of(request)
    async with database.snapshot() as tx:
        found = await users.find_for_login(tx, kind, value)
        user_id, stored, status = found or ("", None, "active")
        known = await devices.match_device(tx, user_id, resources[DeviceCookie].read(request), network)
    buckets = resources[Throttle].for_sign_in(f"{kind} {value}", network, known)
    if buckets:
        async with database.transaction() as tx:
            await throttle.consume(tx, buckets)
    valid, fresh = await resources[PasswordPool].verify(password, stored)
    if not valid or stored is None:
        raise BadCredentials
    if status not in SIGN_IN_STATUSES:
        raise AccountSuspended
    return VerifiedPassword(user_id, stored, fresh, buckets)


async def complete(tx: Tx, verified: VerifiedPassword) -> str:
    """Refund the attempt and replace an outdated hash, in the transaction that opens the session.

    Returns the status of the account. Raises BadCredentials if the password was changed since it was verified: that
    change has ended every session, and this one must not be opened after it.
    """
    status = await users.confirm_password_hash(tx, verified.user_id, verified.stored, verified.fresh)
    if status is None:
        raise BadCredentials
    await throttle.refund(tx, verified.buckets)
    return status
