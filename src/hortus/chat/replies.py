"""What chat does when generations end: finish the replies, tell the rooms, drop the lists."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update

from hortus import generation
from hortus.chat.cache import rooms_changed
from hortus.chat.service import move_rooms, topic_of
from hortus.chat.tables import Chatroom, Message
from hortus.core.db import Moment, Tx
from hortus.core.events import Bus
from hortus.core.rowset import SetStatement

_LOCK_ROOMS = SetStatement(
    "SELECT id, leaf_id, deleted_at FROM chatrooms WHERE id IN (SELECT d.id FROM {rows}) ORDER BY id {lock}", id="text"
).answering(deleted_at=Moment())
_FILL_REPLIES = SetStatement(
    "UPDATE messages SET content = d.said, status = d.outcome, error_code = d.why "
    "FROM {rows} WHERE messages.id = d.wanted AND status = 'pending' RETURNING id, parent_id",
    wanted="text", said="text", outcome="text", why="text",
)  # fmt: skip


class Replies:
    """Connected to `generation.ended` by `main`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def __call__(self, tx: Tx, ended: Sequence[generation.Ended]) -> None:
        """Runs in the transaction that ends the generations."""
        replies = await _end_replies(tx, ended)
        for user_id in {reply.user_id for reply in replies}:
            rooms_changed(tx, user_id)
        tx.after_commit(lambda: self._tell(replies))

    def _tell(self, replies: Sequence[generation.Ended]) -> None:
        for reply in replies:
            good, marks = reply.status == "succeeded", reply.asked["marks"]
            data = {
                "generation_id": reply.id,
                "message_id": marks["message_id"],
                "status": "done" if good else "error",
                "content": reply.text if good else None,
                "code": None if good else reply.error_code or reply.status,
            }
            self._bus.publish(topic_of(marks["room_id"]), "done" if good else "error", data)


async def taken_down(tx: Tx, gone: generation.TakenDown) -> None:
    """Connected to `generation.taken_down` by `main`; runs in the transaction that takes a reply down."""
    if await _blank_reply(tx, gone) is not None:
        rooms_changed(tx, gone.user_id)


async def _end_replies(tx: Tx, ended: Sequence[generation.Ended]) -> list[generation.Ended]:
    """Give pending replies their text or their error, in the transaction that ends their generations.

    Those that are replies; their rooms and messages are named in `asked["marks"]`.
    """
    replies = [each for each in ended if each.kind == "chat" and "message_id" in each.asked.get("marks", {})]
    if not replies:
        return []
    # The rooms first, as whoever writes to one or deletes it does.
    wanted = sorted({each.asked["marks"]["room_id"] for each in replies})
    locked = await _LOCK_ROOMS.run(tx, [{"id": room_id} for room_id in wanted])
    before = {room.id: room.leaf_id for room in locked if room.deleted_at is None}
    told = [_filled(each, is_open=each.asked["marks"]["room_id"] in before) for each in replies]
    parents = {row.id: row.parent_id for row in await _FILL_REPLIES.run(tx, told)}
    leaves: dict[str, str | None] = {}
    for each in replies:
        room_id, message_id = each.asked["marks"]["room_id"], each.asked["marks"]["message_id"]
        if each.status == "succeeded" and room_id in before:
            leaf = leaves.setdefault(room_id, before[room_id])
            if parents.get(message_id) is not None and parents[message_id] == leaf:
                leaves[room_id] = message_id
    await move_rooms(tx, leaves)
    return replies


def _filled(reply: generation.Ended, *, is_open: bool) -> dict[str, Any]:
    good = reply.status == "succeeded"
    return {
        "wanted": reply.asked["marks"]["message_id"],
        "said": (reply.text or "") if good and is_open else "",
        "outcome": "done" if good else "error",
        "why": None if good else reply.error_code or reply.status,
    }


async def _blank_reply(tx: Tx, gone: generation.TakenDown) -> str | None:
    """Empty the reply that was made of a work taken down; the id of its room, None when it was no reply."""
    marks = gone.asked.get("marks", {})
    if gone.kind != "chat" or "message_id" not in marks:
        return None
    await tx.execute(select(Chatroom.id).where(Chatroom.id == marks["room_id"]).with_for_update())
    emptied = update(Message).where(Message.id == marks["message_id"])
    await tx.execute(emptied.values(content="", status="error", error_code="taken_down"))
    return str(marks["room_id"])
