"""The state of this package in one process."""

from dataclasses import dataclass

from hortus.chat.cache import RoomListCache
from hortus.chat.send_batch import NewMessage
from hortus.core.db.batch import Batch
from hortus.core.idempotency import IdempotentResponse


@dataclass(frozen=True, slots=True)
class ChatState:
    """Opened once by `open_chat`; handlers find it in the resources."""

    room_lists: RoomListCache
    send: Batch[NewMessage, IdempotentResponse]
    """Stores a message and begins its reply; the 202 answer once that is durable, or raises the refusal.

    Messages that arrive together share one transaction.
    """
