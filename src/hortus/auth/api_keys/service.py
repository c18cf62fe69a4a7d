"""API keys: create, change, rotate, revoke, authenticate and authorise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, or_, select, update

from hortus.accounts import AccountSuspended, Budgets, Principal, User, keys_changed
from hortus.auth.api_keys.errors import AddressNotAllowed, BadKey, KeyNotFound, ScopeMissing, TooManyKeys
from hortus.auth.api_keys.ip_allowlist import is_within, parse_network
from hortus.auth.api_keys.scopes import EVERYTHING
from hortus.auth.api_keys.secret import digests_of, mint, prefix_of
from hortus.auth.tables import ApiKey, ApiKeySecret
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.core.db.compiled_select import Executor, PreparedSelect
from hortus.core.db.paging import Page, PageRequest, newest
from hortus.core.settings import Settings

MOST_KEYS = 25
LONGEST_OVERLAP_HOURS = 168


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A key as other features name it."""

    id: str
    name: str
    prefix: str
    budgets: Budgets


# Manage ----------------------------------------------------------------------


async def create(tx: Tx, settings: Settings, user_id: str, wanted: Mapping[str, Any]) -> tuple[ApiKey, str]:
    """Create a key; returns it with its secret, of which only a digest is stored. Raises TooManyKeys.

    Concurrent requests cannot exceed `MOST_KEYS`.
    """
    # The lock on the user keeps the count valid until the commit; SQLite has a single writer.
    await tx.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
    active_keys = select(func.count()).select_from(ApiKey).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
    if (await tx.execute(active_keys)).scalar_one() >= MOST_KEYS:
        raise TooManyKeys(limit=MOST_KEYS)
    secret = mint()
    key = ApiKey(
        **wanted, id=ids.new(), user_id=user_id, prefix=prefix_of(secret), enabled=True, created_at=clock.now()
    )
    tx.add(key)
    await tx.flush()
    await _add_secret(tx, settings, key.id, secret)
    return key, secret


async def _add_secret(tx: Tx, settings: Settings, key_id: str, secret: str) -> None:
    row = {"digest": digests_of(settings, secret)[0], "key_id": key_id, "created_at": clock.now(), "expires_at": None}
    await tx.execute(insert(ApiKeySecret), row)


async def list_keys(tx: Tx, user_id: str, paging: PageRequest) -> Page[Any]:
    """The user's keys, newest first."""
    query = select(ApiKey).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
    return await newest(tx, query, paging, ApiKey.id)


async def keys_of(tx: Tx, user_id: str) -> list[NamedKey]:
    """Every key of the user, oldest first; at most `MOST_KEYS`."""
    query = select(ApiKey).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None)).order_by(ApiKey.id)
    return [
        NamedKey(row.id, row.name, row.prefix, budgets_of(row)) for row in (await tx.execute(query)).scalars().all()
    ]


async def keys_since(tx: Tx, user_id: str, moment: datetime) -> list[NamedKey]:
    """The keys of the user that stood at some time since `moment`, oldest first; at most 1000."""
    stood = or_(ApiKey.revoked_at.is_(None), ApiKey.revoked_at >= moment)
    query = select(ApiKey).where(ApiKey.user_id == user_id, stood).order_by(ApiKey.id).limit(1000)
    return [
        NamedKey(row.id, row.name, row.prefix, budgets_of(row)) for row in (await tx.execute(query)).scalars().all()
    ]


async def change(tx: Tx, user_id: str, key_id: str, changes: Mapping[str, Any]) -> ApiKey:
    """Update the given fields; raises KeyNotFound."""
    return await _update(tx, user_id, key_id, {**changes, "user_id": user_id})


async def rotate(tx: Tx, settings: Settings, user_id: str, key_id: str, overlap: timedelta) -> tuple[ApiKey, str]:
    """Give the key a new secret; every older one works for `overlap` at most. Raises KeyNotFound."""
    now, secret = clock.now(), mint()
    # Locks the key first, so that of two rotations at once the later one ends the earlier one's secret.
    key = await _update(tx, user_id, key_id, {"prefix": prefix_of(secret), "rotated_at": now})
    older = ApiKeySecret.key_id == key_id
    await tx.execute(delete(ApiKeySecret).where(older, ApiKeySecret.expires_at <= now))
    until = now + overlap
    later = or_(ApiKeySecret.expires_at.is_(None), ApiKeySecret.expires_at > until)
    await tx.execute(update(ApiKeySecret).where(older, later).values(expires_at=until))
    await _add_secret(tx, settings, key_id, secret)
    return key, secret


async def revoke(tx: Tx, user_id: str, key_id: str) -> None:
    """Revoke a key; raises KeyNotFound."""
    await _update(tx, user_id, key_id, {"revoked_at": clock.now(), "enabled": False})
    await tx.execute(delete(ApiKeySecret).where(ApiKeySecret.key_id == key_id))


async def revoke_all(tx: Tx, user_id: str) -> list[str]:
    """Remove every key of the user; their ids."""
    query = (
        update(ApiKey)
        .where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=clock.now(), enabled=False)
        .returning(ApiKey.id)
    )
    ended = list((await tx.execute(query)).scalars())
    await tx.execute(delete(ApiKeySecret).where(ApiKeySecret.key_id.in_(ended)))
    keys_changed(tx, *ended)
    return ended


async def _update(tx: Tx, user_id: str, key_id: str, values: Mapping[str, Any]) -> ApiKey:
    query = (
        update(ApiKey)
        .where(ApiKey.id == key_id, ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
        .values(**values)
        .returning(ApiKey)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        raise KeyNotFound
    keys_changed(tx, key_id)
    return found


def budgets_of(row: Any) -> Budgets:
    """The budgets in a row of keys."""
    return Budgets(row.daily_calls, row.monthly_calls, row.daily_credits, row.monthly_credits)


# Use -------------------------------------------------------------------------

# Built once, of columns alone: this runs at every call by a key.
_KEYS, _SECRETS, _USERS = ApiKey.__table__, ApiKeySecret.__table__, User.__table__
CALLER = PreparedSelect(
    select(
        _SECRETS.c.digest,
        _SECRETS.c.expires_at.label("secret_until"),
        _KEYS,
        _USERS.c.role,
        _USERS.c.status,
    )
    .select_from(_SECRETS.join(_KEYS, _KEYS.c.id == _SECRETS.c.key_id).join(_USERS, _USERS.c.id == _KEYS.c.user_id))
    .where(_SECRETS.c.digest == bindparam("digest"))
)


async def principal_by_key(executor: Executor, digests: Sequence[str]) -> Principal:
    """The caller behind a key; raises BadKey or AccountSuspended. One query, unless `SECRET_KEY` was changed."""
    found = None
    for digest in digests:
        found = next(iter(await executor.read(CALLER, digest=digest)), None)
        if found is not None:
            break
    if found is None or found.revoked_at is not None:
        raise BadKey
    if found.status != "active":
        raise AccountSuspended
    if not found.enabled:
        raise BadKey("This API key is disabled. Enable it in your account, or use another one.")
    ends = [moment for moment in (found.expires_at, found.secret_until) if moment is not None]
    return Principal(
        user_id=found.user_id,
        session_id="",
        role=found.role,
        scopes=frozenset(found.scopes),
        key_id=found.id,
        models=frozenset(found.models) if found.models is not None else None,
        budgets=budgets_of(found),
        networks=tuple(parse_network(text) for text in found.addresses) if found.addresses is not None else None,
        expires_at=min(ends, default=None),
        secret_digest=found.digest,
    )


def version_keys_of(caller: Principal) -> tuple[str, ...]:
    """Version keys of the cached principal of a caller with an API key."""
    return f"key:{caller.key_id}", f"user:{caller.user_id}"


def check(caller: Principal, scopes: Sequence[str], address: str) -> None:
    """Raise why this key may not be used now, from there, for a route open to these scopes; without any, to none."""
    if caller.expires_at is not None and caller.expires_at <= clock.now():
        raise BadKey("This API key has expired or was rotated. Use the newer one, or create a new one.")
    if caller.networks is not None and not is_within(address, caller.networks):
        raise AddressNotAllowed(address=address)
    if not scopes:
        raise ScopeMissing(needs=[])
    require_scope(caller, *scopes)


def require_scope(caller: Principal, *scopes: str) -> None:
    """Raise ScopeMissing unless the caller has one of these scopes; a session has all."""
    if not caller.scopes & {EVERYTHING, *scopes}:
        raise ScopeMissing(needs=list(scopes), scopes=sorted(caller.scopes))


def scope_words(scopes: Sequence[str]) -> list[str]:
    """The scopes without duplicates, sorted; `*` replaces all others."""
    return [EVERYTHING] if EVERYTHING in scopes else sorted(set(scopes))
