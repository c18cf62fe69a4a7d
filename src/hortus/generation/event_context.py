"""The chat message that a generation replies to, as far as its events need it."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class EventContext(NamedTuple):
    """A generation that has one publishes its events to `topic` too; each of them names the room and the message."""

    topic: str
    room_id: str
    message_id: str

    @property
    def fields(self) -> dict[str, str]:
        """The fields that each event repeats."""
        return {"room_id": self.room_id, "message_id": self.message_id}

    @staticmethod
    def of(params: Mapping[str, Any]) -> "EventContext | None":
        """The context in the stored parameters of a generation; None for one that is no reply."""
        stored = params.get("event_context")
        return None if stored is None else EventContext(**stored)
