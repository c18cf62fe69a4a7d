"""What chat does when generations end: finish the replies, tell the rooms, drop the lists."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update

from hortus import generation
from hortus.chat.cache import rooms_changed
from hortus.chat.service import lock_rooms, move_rooms, start_waiting, topic_of
from hortus.chat.tables import Chatroom, Message
from hortus.core.db import Tx, search
from hortus.core.db.bulk import SetStatement
from hortus.core.events import Bus

_FILL_REPLIES = SetStatement(
    "UPDATE messages SET content = d.said, search = d.search, status = d.outcome, error_code = d.why "
    "FROM {rows} WHERE messages.id = d.wanted AND status = 'pending'",
    wanted="text", said="text", search="text", outcome="text", why="text",
)  # fmt: skip


class Replies:
    """Connected to `generation.ended` by `main`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def __call__(self, tx: Tx, ended: Sequence[generation.Ended]) -> None:
        """Runs in the transaction that ends the generations."""
        replies = [each for each in ended if _is_reply(each)]
        if not replies:
            return
        await _end_replies(tx, replies)
        for user_id in {reply.user_id for reply in replies}:
            rooms_changed(tx, user_id)
        tx.after_commit(lambda: self._tell(replies))

    def _tell(self, replies: Sequence[generation.Ended]) -> None:
        for reply in replies:
            good, marks = reply.delivered, reply.asked["marks"]
            data = {
                "generation_id": reply.id,
                "message_id": marks["message_id"],
                "status": "done" if good else "error",
                "content": reply.text if good else None,
                "code": None if good else reply.error_code or reply.status,
            }
            self._bus.publish(topic_of(marks["room_id"]), "done" if good else "error", data)


async def taken_down(tx: Tx, gone: generation.TakenDown) -> None:
    """Connected to `generation.taken_down` by `main`: empty the reply that was made of it, in the same transaction."""
    if not _is_reply(gone):
        return
    marks = gone.asked["marks"]
    await tx.execute(select(Chatroom.id).where(Chatroom.id == marks["room_id"]).with_for_update())
    emptied = update(Message).where(Message.id == marks["message_id"])
    await tx.execute(emptied.values(content="", search="", status="error", error_code="taken_down"))
    rooms_changed(tx, gone.user_id)


def _is_reply(work: generation.Ended | generation.TakenDown) -> bool:
    """Whether it is one; its room and message are named in `asked["marks"]` then."""
    return work.kind == "chat" and "message_id" in work.asked.get("marks", {})


async def _end_replies(tx: Tx, replies: Sequence[generation.Ended]) -> None:
    """Give pending replies their text or their error, in the transaction that ends their generations."""
    # The rooms first, as whoever writes to one or deletes it does; deleted ones too, for replies may wait in them.
    rooms = await lock_rooms(tx, sorted({reply.asked["marks"]["room_id"] for reply in replies}), deleted=True)
    written = {room.id for room in rooms.values() if room.is_open}
    await _FILL_REPLIES.run(tx, [_filled(each, is_open=each.asked["marks"]["room_id"] in written) for each in replies])
    used = {each.asked["marks"]["room_id"] for each in replies if each.delivered} & written
    await move_rooms(tx, {room_id: rooms[room_id].leaf_id for room_id in used})
    owners = {room.id: room.user_id for room in rooms.values()}
    await start_waiting(tx, owners, {each.asked["marks"]["message_id"] for each in replies})


def _filled(reply: generation.Ended, *, is_open: bool) -> dict[str, Any]:
    good = reply.delivered
    said = (reply.text or "") if good and is_open else ""
    return {
        "wanted": reply.asked["marks"]["message_id"],
        "said": said,
        "search": search.document(reply.user_id, said),
        "outcome": "done" if good else "error",
        "why": None if good else reply.error_code or reply.status,
    }
