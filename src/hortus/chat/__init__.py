"""Rooms, messages and replies."""

from hortus.chat.cache import RoomLists
from hortus.chat.replies import Replies, taken_down

__all__ = ["Replies", "RoomLists", "taken_down"]
