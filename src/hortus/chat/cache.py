"""Lists of rooms, remembered per user and dropped at any write of that user."""

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class _Entry:
    version: int = 0
    pages: dict[str, tuple[float, dict[str, Any]]] = field(default_factory=dict)


class RoomLists:
    """The lists this process knows, for at most `seconds`.

    A list that was read before a write and arrives after it is not kept: `version` tells.
    """

    def __init__(self, seconds: float, users: int = 5000, pages: int = 20) -> None:
        self._seconds, self._users, self._pages = seconds, users, pages
        self._known: OrderedDict[str, _Entry] = OrderedDict()
        self._writes = 0

    def get(self, user_id: str, page: str) -> dict[str, Any] | None:
        """A list as it was sent before, or None."""
        entry = self._known.get(user_id)
        found = entry.pages.get(page) if entry is not None else None
        return found[1] if found is not None and found[0] > time.monotonic() else None

    def version(self, user_id: str) -> int:
        """Ask before reading the database; hand it to `put`."""
        entry = self._known.setdefault(user_id, _Entry(self._writes))
        self._known.move_to_end(user_id)
        if len(self._known) > self._users:
            self._known.popitem(last=False)
        return entry.version

    def put(self, user_id: str, page: str, version: int, value: dict[str, Any]) -> None:
        """Remember a list, unless the user wrote since `version`."""
        entry = self._known.get(user_id)
        if entry is None or entry.version != version:
            return
        if len(entry.pages) >= self._pages:
            entry.pages.clear()
        entry.pages[page] = (time.monotonic() + self._seconds, value)

    def drop(self, user_id: str) -> None:
        """Forget the user's lists; call it after the commit of any write."""
        self._writes += 1
        self._known[user_id] = _Entry(self._writes)
