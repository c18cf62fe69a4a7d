"""Passkeys: register, verify, list, rename and remove."""

from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import delete, false, func, or_, select, update

from hortus.accounts import SIGN_IN_STATUSES, AccountSuspended, User
from hortus.auth.passkeys.errors import (
    BadPasskey,
    PasskeyCopied,
    PasskeyKnown,
    PasskeyNotFound,
    TooManyPasskeys,
)
from hortus.auth.passkeys.webauthn import NewPasskey, PasskeyAssertion
from hortus.auth.tables import Passkey, PasskeyChallenge
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.core.db.paging import Page, PageRequest, newest
from hortus.core.errors import Problem

log = structlog.get_logger()
MOST = 20
"""How many passkeys one user may have."""


@dataclass(frozen=True, slots=True)
class StoredPasskey:
    """A registered key."""

    id: str
    user_id: str
    public_key: bytes


@dataclass(frozen=True, slots=True)
class VerifiedAssertion:
    """A registered key and its verified assertion."""

    key: StoredPasskey
    assertion: PasskeyAssertion


async def has_passkey(tx: Tx, user_id: str) -> bool:
    """Whether the user has at least one passkey."""
    query = select(Passkey.id).where(Passkey.user_id == user_id).limit(1)
    return (await tx.execute(query)).first() is not None


async def passkey_count(tx: Tx, user_id: str) -> int:
    """How many passkeys a user has."""
    query = select(func.count()).select_from(Passkey).where(Passkey.user_id == user_id)
    return int((await tx.execute(query)).scalar_one())


async def credential_ids(tx: Tx, user_id: str) -> list[str]:
    """The credential ids of a user's keys."""
    query = select(Passkey.credential_id).where(Passkey.user_id == user_id).order_by(Passkey.id)
    return list((await tx.execute(query)).scalars())


async def find_passkey(tx: Tx, credential_id: str) -> StoredPasskey | None:
    """The key that an authenticator calls so."""
    query = select(Passkey.id, Passkey.user_id, Passkey.public_key).where(Passkey.credential_id == credential_id)
    found = (await tx.execute(query)).one_or_none()
    return StoredPasskey(found.id, found.user_id, found.public_key) if found is not None else None


async def add_passkey(tx: Tx, user_id: str, key: NewPasskey, name: str) -> Passkey:
    """Register a verified key of the user. Raises PasskeyKnown, TooManyPasskeys."""
    await tx.execute(select(User.id).where(User.id == user_id).with_for_update())  # parallel ones count one by one
    count = select(func.count()).select_from(Passkey).where(Passkey.user_id == user_id)
    if (await tx.execute(count)).scalar_one() >= MOST:
        raise TooManyPasskeys
    row = {
        "id": ids.new(),
        "user_id": user_id,
        "credential_id": key.credential_id,
        "public_key": key.public_key,
        "sign_count": key.sign_count,
        "name": name,
        "backed_up": key.backed_up,
        "created_at": clock.now(),
    }
    values = tx.insert(Passkey).values(row)
    kept = values.on_conflict_do_nothing(index_elements=["credential_id"]).returning(Passkey)
    found = (await tx.execute(kept)).scalar_one_or_none()
    if found is None:
        raise PasskeyKnown
    return found


async def record_assertion(tx: Tx, key: StoredPasskey, assertion: PasskeyAssertion) -> Problem | None:
    """Record a verified assertion; returns None or the error, which must be committed.

    The counter must increase, unless the authenticator has none (both are 0). Otherwise the key may be copied: the
    regression is recorded on the key and refused. One of several concurrent uses of a count succeeds.
    """
    now = clock.now()
    none_kept = Passkey.sign_count == 0 if assertion.sign_count == 0 else false()
    counted = await tx.execute(
        update(Passkey)
        .where(Passkey.id == key.id, or_(Passkey.sign_count < assertion.sign_count, none_kept))
        .values(sign_count=assertion.sign_count, backed_up=assertion.backed_up, last_used_at=now)
        .returning(Passkey.id)
    )
    if counted.first() is not None:
        status = (await tx.execute(select(User.status).where(User.id == key.user_id))).scalar_one()
        return None if status in SIGN_IN_STATUSES else AccountSuspended() if status == "suspended" else BadPasskey()
    noted = update(Passkey).where(Passkey.id == key.id).values(regressed_at=now).returning(Passkey.sign_count)
    last = (await tx.execute(noted)).scalar_one_or_none()
    if last is None:  # removed meanwhile
        return BadPasskey()
    log.warning(
        "passkey_counter_went_back", user_id=key.user_id, passkey_id=key.id, last=last, now=assertion.sign_count
    )
    return PasskeyCopied()


async def list_passkeys(tx: Tx, user_id: str, paging: PageRequest) -> Page[Any]:
    """The passkeys of a user, newest first."""
    return await newest(tx, select(Passkey).where(Passkey.user_id == user_id), paging, Passkey.id)


async def require_passkey(tx: Tx, user_id: str, passkey_id: str) -> None:
    """Raise PasskeyNotFound unless the user has this passkey."""
    query = select(Passkey.id).where(Passkey.id == passkey_id, Passkey.user_id == user_id)
    if (await tx.execute(query)).first() is None:
        raise PasskeyNotFound


async def rename_passkey(tx: Tx, user_id: str, passkey_id: str, name: str) -> Passkey:
    """The passkey with its new name. Raises PasskeyNotFound."""
    query = update(Passkey).where(Passkey.id == passkey_id, Passkey.user_id == user_id)
    found = (await tx.execute(query.values(name=name).returning(Passkey))).scalar_one_or_none()
    if found is None:
        raise PasskeyNotFound
    return found


async def remove_passkey(tx: Tx, user_id: str, passkey_id: str) -> None:
    """Remove a passkey; the caller then calls `require_remaining_credential`. Raises PasskeyNotFound."""
    query = delete(Passkey).where(Passkey.id == passkey_id, Passkey.user_id == user_id).returning(Passkey.id)
    if (await tx.execute(query)).first() is None:
        raise PasskeyNotFound


async def remove_passkeys(tx: Tx, user_id: str) -> None:
    """Delete every passkey of a user: by an operator or on erasure."""
    for table in (PasskeyChallenge, Passkey):
        await tx.execute(delete(table).where(table.user_id == user_id))
