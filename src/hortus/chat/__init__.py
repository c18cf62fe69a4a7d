"""Rooms, messages and replies."""

from hortus.chat.cache import RoomLists, rooms_changed
from hortus.chat.replies import Replies, taken_down
from hortus.chat.sending import SendMessages

__all__ = ["Replies", "RoomLists", "SendMessages", "rooms_changed", "taken_down"]
