"""Open this package for a process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from hortus import generation
from hortus.chat.cache import RoomListCache
from hortus.chat.replies import ReplyUpdater, on_taken_down
from hortus.chat.send_batch import send_many
from hortus.chat.state import ChatState
from hortus.core.cache import CacheVersions
from hortus.core.db import Database
from hortus.core.db.batch import Batch
from hortus.core.events import Bus
from hortus.core.resources import Resources
from hortus.core.settings import Settings


@asynccontextmanager
async def open_chat(
    database: Database, settings: Settings, bus: Bus, versions: CacheVersions, resources: Resources
) -> AsyncIterator[ChatState]:
    """The state of this package; replies follow their generations until the end of the block."""

    replies = ReplyUpdater(bus)
    generation.ended.connect(replies)
    generation.taken_down.connect(on_taken_down)
    try:
        yield ChatState(
            RoomListCache(settings.chatroom_cache_ttl, versions),
            Batch(database, partial(send_many, resources=resources)),
        )
    finally:
        generation.ended.disconnect(replies)
