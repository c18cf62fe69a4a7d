"""Lists of rooms, remembered per user and dropped at any write of that user, on every process."""

from typing import Any

from hortus.core import cache
from hortus.core.cache import Look, Remembered, Stamps
from hortus.core.db import Tx


class RoomLists:
    """The lists this process knows, for at most `seconds`. One that was read before a write is never kept after it."""

    def __init__(self, seconds: float, stamps: Stamps) -> None:
        self._known: Remembered[dict[str, Any]] = Remembered(stamps, seconds, size=5000, name="rooms")

    async def look(self, user_id: str, page: str) -> Look[dict[str, Any]]:
        """A list as it was sent before, if known; ask before reading the database."""
        return await self._known.look(_names(user_id), page)

    def keep(self, look: Look[dict[str, Any]], value: dict[str, Any]) -> None:
        """Remember a list that was read after `look`."""
        self._known.keep(look, value)


def rooms_changed(tx: Tx, user_id: str) -> None:
    """Drop the user's lists once `tx` has committed."""
    cache.changed(tx, *_names(user_id), wait=False)


def _names(user_id: str) -> tuple[str, ...]:
    return (f"rooms:{user_id}",)
