"""Chat: rooms, messages and replies."""

from hortus.chat.cache import invalidate_room_lists
from hortus.chat.context import read_conversation
from hortus.chat.startup import open_chat
from hortus.chat.state import ChatState

__all__ = ["ChatState", "invalidate_room_lists", "open_chat", "read_conversation"]
