"""Rooms, messages and replies."""

from hortus.chat.cache import RoomLists, rooms_changed
from hortus.chat.replies import Replies, taken_down

__all__ = ["Replies", "RoomLists", "rooms_changed", "taken_down"]
