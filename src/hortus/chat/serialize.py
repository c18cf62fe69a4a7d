"""Serialize rooms and messages for answers."""

from typing import Any

from hortus.chat.schemas import MessageOut, RoomLine, TurnOut
from hortus.chat.tables import Message


def room_line(room: Any) -> RoomLine:
    """A room without its messages."""
    return RoomLine.model_validate(room, from_attributes=True)


def message_out(message: Message) -> MessageOut:
    """One message."""
    return MessageOut.model_validate(message, from_attributes=True)


def turn_out(message: Message, reply: Message) -> TurnOut:
    """A message and its pending reply."""
    return TurnOut(message=message_out(message), reply=message_out(reply), generation_id=reply.generation_id or "")
