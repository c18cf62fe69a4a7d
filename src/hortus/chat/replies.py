"""What chat does when a generation ends: finish the reply, tell the room, drop the list."""

from hortus import generation
from hortus.chat import service
from hortus.chat.cache import rooms_changed
from hortus.core.db import Tx
from hortus.core.events import Bus


class Replies:
    """Connected to `generation.ended` by `main`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def __call__(self, tx: Tx, ended: generation.Ended) -> None:
        """Runs in the transaction that ends the generation."""
        room_id = await service.end_reply(tx, ended)
        if room_id is None:
            return
        good = ended.status == "succeeded"
        data = {
            "generation_id": ended.id,
            "message_id": ended.asked["marks"]["message_id"],
            "status": "done" if good else "error",
            "content": ended.text if good else None,
            "code": None if good else ended.error_code or ended.status,
        }

        def tell() -> None:
            self._bus.publish(service.topic_of(room_id), "done" if good else "error", data)

        rooms_changed(tx, ended.user_id)
        tx.after_commit(tell)


async def taken_down(tx: Tx, gone: generation.TakenDown) -> None:
    """Connected to `generation.taken_down` by `main`; runs in the transaction that takes a reply down."""
    if await service.blank_reply(tx, gone) is not None:
        rooms_changed(tx, gone.user_id)
