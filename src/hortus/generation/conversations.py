"""What a reply is given to read, where that was not known when the reply was accepted."""

from collections.abc import Awaitable, Callable

from hortus.core.db import Database, Tx
from hortus.core.settings import Settings
from hortus.generation.tables import Generation


class Conversations:
    """Reads conversations with the function that the owner of the messages gives at start-up."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        read: Callable[[Tx, Settings, str], Awaitable[list[dict[str, str]]]],
    ) -> None:
        self._database, self._settings, self._read = database, settings, read

    async def complete(self, generation: Generation) -> None:
        """Add the conversation to a reply that was accepted without one."""
        if "messages" in generation.asked or "message_id" not in generation.asked.get("marks", {}):
            return
        async with self._database.snapshot() as tx:
            messages = await self._read(tx, self._settings, generation.asked["marks"]["message_id"])
        generation.asked = {**generation.asked, "messages": messages}
