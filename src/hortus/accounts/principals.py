"""Principals: the authenticated caller of a request, and the cache of recent callers."""

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network

from hortus.core.cache import CacheVersions, VersionedCache
from hortus.core.db import Tx

ALL_SCOPES = frozenset({"*"})
KEPT_SECRETS = 10_000
ACCESS_CHANGED = "access"
"""Topic of changed access: events carry digests of `user:…`, `session:…` and `key:…`."""


@dataclass(frozen=True, slots=True)
class Budgets:
    """How much one API key may use per day and month; None does not limit. Credits are micro-credits."""

    daily_calls: int | None = None
    monthly_calls: int | None = None
    daily_credits: int | None = None
    monthly_credits: int | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller. `scopes` limits this call; `*` is everything that the role allows.
    `two_factors` is whether the session was authenticated with two factors.

    A caller with an API key has a `key_id` and no session. `models`, `budgets`, `networks` and `expires_at` are the
    limits of that key, and `secret_digest` identifies the secret in use. All of them are None for a session.
    """

    user_id: str
    session_id: str
    role: str
    scopes: frozenset[str] = field(default=ALL_SCOPES)
    two_factors: bool = False
    key_id: str | None = None
    models: frozenset[str] | None = None
    budgets: Budgets | None = None
    networks: tuple[IPv4Network | IPv6Network, ...] | None = None
    expires_at: datetime | None = None
    secret_digest: str | None = field(default=None, repr=False)


def user_changed(tx: Tx, user_id: str) -> None:
    """Invalidate the cached principals of a user in every process. Call it when the status or role changes."""
    _changed(tx, f"user:{user_id}")


def sessions_changed(tx: Tx, *session_ids: str) -> None:
    """Invalidate the cached principals of these sessions in every process."""
    _changed(tx, *(f"session:{session_id}" for session_id in session_ids))


def keys_changed(tx: Tx, *key_ids: str) -> None:
    """Invalidate the cached principals of these API keys in every process."""
    _changed(tx, *(f"key:{key_id}" for key_id in key_ids))


def _changed(tx: Tx, *names: str) -> None:
    if names:
        # Before the invalidation, which may delay the response.
        tx.publish(ACCESS_CHANGED, "changed", {"digests": [digest_of_name(name) for name in names]})
        tx.invalidate_cache(*names)


def digest_of_name(name: str) -> str:
    """The digest that stands for a name in events, which are retained longer than an erased account may be."""
    return hashlib.blake2b(name.encode(), digest_size=12).hexdigest()


class PrincipalCache:
    """Principals of recent callers, cached for at most `seconds` while nothing about them changes; 0 disables it."""

    def __init__(self, seconds: float, versions: CacheVersions) -> None:
        self._names: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._cache: VersionedCache[Principal] = VersionedCache(versions, min(seconds, versions.lease), name="callers")

    async def of_session(self, user_id: str, session_id: str, read: Callable[[], Awaitable[Principal]]) -> Principal:
        """The principal of a session: cached, or the result of `read`, whose exceptions propagate."""
        return await self._cache.get((f"session:{session_id}", f"user:{user_id}"), read)

    async def of_secret(
        self,
        digest: str,
        read: Callable[[], Awaitable[Principal]],
        names_of: Callable[[Principal], tuple[str, ...]],
    ) -> Principal:
        """The principal of a secret that does not contain the id of its user, by its digest.

        `names_of` returns the version keys of the principal; they must never change for one secret.
        """
        names = self._names.get(digest)
        if names is not None:
            return await self._cache.get(names, read, digest)
        found = await read()  # not cached: its version keys were unknown before the read
        self._names[digest] = names_of(found)
        if len(self._names) > KEPT_SECRETS:
            self._names.popitem(last=False)
        return found
