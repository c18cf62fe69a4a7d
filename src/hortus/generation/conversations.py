"""The conversation that a reply continues, read when the reply begins: it may have waited for an earlier reply."""

from collections.abc import Awaitable, Callable

from hortus.core.db import Database, Tx
from hortus.core.settings import Settings
from hortus.generation.event_context import EventContext
from hortus.generation.tables import Generation

ReadConversation = Callable[[Tx, Settings, str], Awaitable[list[dict[str, str]]]]
"""Reads the messages above the reply with that id, oldest first."""


class Conversations:
    """Reads conversations with the function that `chat` passes at start-up."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        read: ReadConversation,
    ) -> None:
        self._database, self._settings, self._read = database, settings, read

    async def complete(self, generation: Generation) -> None:
        """Add the conversation to a reply that was accepted without one."""
        context = EventContext.of(generation.params)
        if context is None or "messages" in generation.params:
            return
        async with self._database.snapshot() as tx:
            messages = await self._read(tx, self._settings, context.message_id)
        generation.params = {**generation.params, "messages": messages}
