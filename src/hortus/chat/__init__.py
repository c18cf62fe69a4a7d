"""Chat: rooms, messages and replies."""

from hortus.chat.cache import RoomListCache, invalidate_room_lists
from hortus.chat.context import read_conversation
from hortus.chat.replies import ReplyUpdater, on_taken_down
from hortus.chat.send_batch import MessageBatch

__all__ = [
    "MessageBatch",
    "ReplyUpdater",
    "RoomListCache",
    "invalidate_room_lists",
    "on_taken_down",
    "read_conversation",
]
