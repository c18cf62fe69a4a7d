"""Rooms, messages and replies."""

from hortus.chat.cache import RoomLists, rooms_changed
from hortus.chat.context import read_conversation
from hortus.chat.replies import ReplyUpdater, taken_down
from hortus.chat.send_batch import SendMessages

__all__ = ["ReplyUpdater", "RoomLists", "SendMessages", "read_conversation", "rooms_changed", "taken_down"]
