"""Room lists, cached per user until the next write of that user in any process."""

from typing import Any

from hortus.core.cache import CacheLookup, CacheVersions, VersionedCache
from hortus.core.db import Tx


class RoomListCache:
    """The room lists of this process, for at most `seconds`. A list read before a write is never stored after it."""

    def __init__(self, seconds: float, versions: CacheVersions) -> None:
        self._lists: VersionedCache[dict[str, Any]] = VersionedCache(versions, seconds, size=5000, name="rooms")

    async def lookup(self, user_id: str, page: str) -> CacheLookup[dict[str, Any]]:
        """A cached list, or none; call it before reading the database."""
        return await self._lists.lookup(_names(user_id), page)

    def store(self, look: CacheLookup[dict[str, Any]], value: dict[str, Any]) -> None:
        """Store a list that was read after the lookup."""
        self._lists.store(look, value)


def invalidate_room_lists(tx: Tx, user_id: str) -> None:
    """Invalidate the user's lists once `tx` has committed."""
    tx.invalidate_cache(*_names(user_id), wait=False)


def _names(user_id: str) -> tuple[str, ...]:
    return (f"rooms:{user_id}",)
