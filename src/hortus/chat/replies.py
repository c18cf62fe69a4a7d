"""Store and publish replies when their generations end, in the same transaction."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update

from hortus import generation
from hortus.chat.cache import invalidate_room_lists
from hortus.chat.service import lock_rooms, move_rooms
from hortus.chat.tables import Chatroom, Message
from hortus.chat.turns import start_waiting
from hortus.core.db import Tx, search
from hortus.core.db.bulk import BulkStatement
from hortus.core.events import Bus

_FILL_REPLIES = BulkStatement(
    "UPDATE messages SET content = d.content, search = d.search, status = d.status, error_code = d.error_code "
    "FROM {rows} WHERE messages.id = d.id AND messages.status = 'pending'",
    id="text", content="text", search="text", status="text", error_code="text",
)  # fmt: skip
_Reply = tuple[generation.Ended, generation.EventContext]


class ReplyUpdater:
    """Connected to `generation.ended` by `open_chat`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def __call__(self, tx: Tx, ended: Sequence[generation.Ended]) -> None:
        """Runs in the transaction that ends the generations."""
        replies = [(each, each.event_context) for each in ended if each.event_context is not None]
        if not replies:
            return
        await _end_replies(tx, replies)
        for user_id in {reply.user_id for reply, _ in replies}:
            invalidate_room_lists(tx, user_id)
        tx.after_commit(lambda: self._publish(replies))

    def _publish(self, replies: Sequence[_Reply]) -> None:
        for reply, context in replies:
            good = reply.delivered
            data = {
                "generation_id": reply.id,
                "message_id": context.message_id,
                "status": "done" if good else "error",
                "content": reply.text if good else None,
                "code": None if good else reply.error_code or reply.status,
            }
            self._bus.publish(context.topic, "done" if good else "error", data)


async def on_taken_down(tx: Tx, gone: generation.TakenDown) -> None:
    """Connected to `generation.taken_down` by `open_chat`: empty the reply, in the same transaction."""
    context = gone.event_context
    if context is None:
        return
    await tx.execute(select(Chatroom.id).where(Chatroom.id == context.room_id).with_for_update())
    emptied = update(Message).where(Message.id == context.message_id)
    await tx.execute(emptied.values(content="", search="", status="error", error_code="taken_down"))
    invalidate_room_lists(tx, gone.user_id)


async def _end_replies(tx: Tx, replies: Sequence[_Reply]) -> None:
    """Give pending replies their text or their error, in the transaction that ends their generations."""
    # Rooms are locked first, as in every transaction that writes to one; deleted ones too: replies may wait in them.
    rooms = await lock_rooms(tx, sorted({context.room_id for _, context in replies}), deleted=True)
    written = {room.id for room in rooms.values() if room.is_open}
    await _FILL_REPLIES.run(tx, [_filled(*each, is_open=each[1].room_id in written) for each in replies])
    used = {context.room_id for reply, context in replies if reply.delivered} & written
    await move_rooms(tx, {room_id: rooms[room_id].leaf_id for room_id in used})
    owners = {room.id: room.user_id for room in rooms.values()}
    await start_waiting(tx, owners, {context.message_id for _, context in replies})


def _filled(reply: generation.Ended, context: generation.EventContext, *, is_open: bool) -> dict[str, Any]:
    good = reply.delivered
    content = (reply.text or "") if good and is_open else ""
    return {
        "id": context.message_id,
        "content": content,
        "search": search.document(reply.user_id, content),
        "status": "done" if good else "error",
        "error_code": None if good else reply.error_code or reply.status,
    }
