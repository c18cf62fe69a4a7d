"""What higher features add to a profile: the plan and the usage summary."""

from collections.abc import Awaitable, Callable
from typing import Any

from hortus.core.db.compiled_select import Source

Extra = Callable[[Source, str], Awaitable[dict[str, Any]]]


class ProfileExtras:
    """Filled by `main`; each extra gets what to read from and the user's id and returns fields."""

    def __init__(self, *extras: Extra) -> None:
        self._extras = extras

    async def of(self, source: Source, user_id: str) -> dict[str, Any]:
        """All fields for one user."""
        fields: dict[str, Any] = {"plan": "basic"}
        for extra in self._extras:
            fields.update(await extra(source, user_id))
        return fields
