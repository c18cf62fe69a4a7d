"""Who is calling."""

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network

from hortus.core import cache, events
from hortus.core.cache import CacheVersions, VersionedCache
from hortus.core.db import Tx

ALL_SCOPES = frozenset({"*"})
KEPT_SECRETS = 10_000
ACCESS_CHANGED = "access"
"""The topic of callers whose access has changed: digests of `user:…`, `session:…` and `key:…`."""


@dataclass(frozen=True, slots=True)
class Budgets:
    """How much one API key may use per day and month; None does not limit. Credits are micro-credits."""

    daily_calls: int | None = None
    monthly_calls: int | None = None
    daily_credits: int | None = None
    monthly_credits: int | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """A signed-in caller, as of now. `scopes` is what this call may do; `*` is everything their role may.
    `two_factors` tells whether two were proved on this session.

    Whoever calls by an API key has a `key_id` and no session; `models`, `budgets`, `networks` and `expires_at` are
    what that key is limited to, `secret_digest` is which of its secrets was used. All of them are None for a session.
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
    """Let every process ask the database again at the user's next call; call it where status or role change."""
    _changed(tx, f"user:{user_id}")


def sessions_changed(tx: Tx, *session_ids: str) -> None:
    """Let every process ask the database again at the next call of these sessions."""
    _changed(tx, *(f"session:{session_id}" for session_id in session_ids))


def keys_changed(tx: Tx, *key_ids: str) -> None:
    """Let every process ask the database again at the next call by these API keys."""
    _changed(tx, *(f"key:{key_id}" for key_id in key_ids))


def _changed(tx: Tx, *names: str) -> None:
    if names:
        # First: stamps may hold the answer back.
        events.publish_on_commit(tx, ACCESS_CHANGED, "changed", {"digests": [digest_of_name(name) for name in names]})
        cache.invalidate(tx, *names)


def digest_of_name(name: str) -> str:
    """What stands for a name on the bus, which keeps events longer than an erased account may be remembered."""
    return hashlib.blake2b(name.encode(), digest_size=12).hexdigest()


class PrincipalCache:
    """Who was calling a moment ago, for at most `seconds`, while nothing about them changed; 0 keeps nothing."""

    def __init__(self, seconds: float, versions: CacheVersions) -> None:
        self._names: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._known: VersionedCache[Principal] = VersionedCache(versions, min(seconds, versions.lease), name="callers")

    async def of_session(self, user_id: str, session_id: str, read: Callable[[], Awaitable[Principal]]) -> Principal:
        """The caller behind a session: remembered, or what `read` finds in the database; raises what that raises."""
        return await self._known.get((f"session:{session_id}", f"user:{user_id}"), read)

    async def of_secret(
        self,
        digest: str,
        read: Callable[[], Awaitable[Principal]],
        names_of: Callable[[Principal], tuple[str, ...]],
    ) -> Principal:
        """The caller behind a secret that does not say whose it is, by its digest.

        `names_of` tells the stamps on which the answer depends; they must never change for one secret.
        """
        names = self._names.get(digest)
        if names is not None:
            return await self._known.get(names, read, digest)
        found = await read()  # not kept: its stamps were not known before it was read
        self._names[digest] = names_of(found)
        if len(self._names) > KEPT_SECRETS:
            self._names.popitem(last=False)
        return found
