"""Chat: rooms, messages and replies."""

from hortus.chat.cache import RoomListCache, rooms_changed
from hortus.chat.context import read_conversation
from hortus.chat.replies import ReplyUpdater, taken_down
from hortus.chat.send_batch import MessageBatch

__all__ = ["MessageBatch", "ReplyUpdater", "RoomListCache", "read_conversation", "rooms_changed", "taken_down"]
