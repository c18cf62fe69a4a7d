"""Rooms, messages and replies."""

from hortus.chat.cache import RoomLists
from hortus.chat.replies import Replies

__all__ = ["Replies", "RoomLists"]
