"""Chat rooms and their messages: create, find, change, delete, lock."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, literal_column, select, update

from hortus import generation
from hortus.chat.errors import RoomNotFound
from hortus.chat.tables import Chatroom, Message
from hortus.core import clock, ids
from hortus.core.db import Tx, search
from hortus.core.db.bulk import BulkStatement, in_json
from hortus.core.db.paging import Page, PageRequest, newest
from hortus.core.events import Bus

PENDING: ColumnElement[bool] = literal_column("messages.status = 'pending'")
"""A literal, so that SQLite uses the partial index of this condition."""
_MOVE_ROOMS = BulkStatement(
    "UPDATE chatrooms SET leaf_id = d.leaf_id, activity = d.activity, updated_at = :now "
    "FROM {rows} WHERE chatrooms.id = d.id",
    id="text", leaf_id="text", activity="text",
)  # fmt: skip


def topic_of(room_id: str) -> str:
    """The topic on which the events of a room are published."""
    return f"chatroom/{room_id}"


async def create_room(tx: Tx, user_id: str, title: str, description: str | None) -> Chatroom:
    """A new empty room."""
    now = clock.now()
    room = Chatroom(
        id=ids.new(),
        user_id=user_id,
        title=title,
        description=description,
        pinned=False,
        archived=False,
        activity=ids.new(),
        created_at=now,
        updated_at=now,
    )
    _index(room)
    tx.add(room)
    await tx.flush()
    return room


async def find_room(tx: Tx, user_id: str, room_id: str, *, lock: bool = False) -> Chatroom:
    """The user's room; raises RoomNotFound."""
    query = select(Chatroom).where(Chatroom.id == room_id, Chatroom.user_id == user_id, Chatroom.deleted_at.is_(None))
    found = (await tx.execute(query.with_for_update() if lock else query)).scalar_one_or_none()
    if found is None:
        raise RoomNotFound
    return found


class LockedRoom(NamedTuple):
    """A room whose row is locked until the commit."""

    id: str
    user_id: str
    leaf_id: str | None
    is_open: bool


async def existing_rooms(tx: Tx, room_ids: Sequence[str]) -> set[str]:
    """Which of these rooms their owners have not deleted."""
    query = select(Chatroom.id).where(in_json(Chatroom.id, room_ids), Chatroom.deleted_at.is_(None))
    return set((await tx.execute(query)).scalars())


async def lock_rooms(tx: Tx, room_ids: Sequence[str], *, deleted: bool = False) -> dict[str, LockedRoom]:
    """Lock the rooms of any users; by id, without unknown ones, and without deleted ones unless `deleted`."""
    query = select(Chatroom.id, Chatroom.user_id, Chatroom.leaf_id, Chatroom.deleted_at.is_(None))
    query = query.where(in_json(Chatroom.id, room_ids))
    if not deleted:
        query = query.where(Chatroom.deleted_at.is_(None))
    found = (await tx.execute(query.order_by(Chatroom.id).with_for_update())).all()
    return {row.id: LockedRoom(*row) for row in found}


async def move_rooms(tx: Tx, leaves: Mapping[str, str | None]) -> None:
    """Make that message the leaf of each room, and the rooms the last ones used. The rooms must be locked."""
    rows = [{"id": room_id, "leaf_id": leaf, "activity": ids.new()} for room_id, leaf in sorted(leaves.items())]
    if rows:
        await _MOVE_ROOMS.run(tx, rows, now=clock.now())


async def find_rooms(
    tx: Tx, user_id: str, paging: PageRequest, *, archived: bool, pinned: bool | None, words: str | None
) -> Page[Any]:
    """The user's rooms, last used first."""
    query = select(Chatroom).where(
        Chatroom.user_id == user_id, Chatroom.deleted_at.is_(None), Chatroom.archived.is_(archived)
    )
    if pinned is not None:
        query = query.where(Chatroom.pinned.is_(pinned))
    if words:
        return await search.find(tx, query, paging, user_id, words, order=Chatroom.activity)
    return await newest(tx, query, paging, Chatroom.activity)


async def find_messages_with(tx: Tx, user_id: str, paging: PageRequest, words: str) -> Page[Any]:
    """The messages in the user's rooms that contain those words, newest first."""
    rooms = select(Chatroom.id).where(Chatroom.user_id == user_id, Chatroom.deleted_at.is_(None))
    query = select(Message).where(Message.room_id.in_(rooms))
    return await search.find(tx, query, paging, user_id, words, order=Message.id, recent=False)


async def titles_of(tx: Tx, room_ids: Collection[str]) -> dict[str, str]:
    """The titles of rooms by their ids."""
    found = await tx.execute(select(Chatroom.id, Chatroom.title).where(Chatroom.id.in_(room_ids)))
    return {row.id: row.title for row in found}


async def change_room(tx: Tx, user_id: str, room_id: str, changes: dict[str, Any]) -> Chatroom:
    """Change the fields that are given."""
    room = await find_room(tx, user_id, room_id, lock=True)
    for name, value in changes.items():
        setattr(room, name, value)
    _index(room)
    _touch(room)
    await tx.flush()
    return room


async def delete_room(tx: Tx, bus: Bus, user_id: str, room_id: str) -> None:
    """Delete a room with its messages; replies in progress are stopped, and charged as when cancelled."""
    await find_room(tx, user_id, room_id)
    # Before the room is locked: the end of a reply locks its generation first and the room second.
    pending = select(Message.generation_id).where(Message.room_id == room_id, PENDING)
    await generation.request_stop(tx, bus, [each for each in (await tx.execute(pending)).scalars() if each])
    room = await find_room(tx, user_id, room_id, lock=True)
    room.deleted_at, room.title, room.description, room.search = clock.now(), "", None, ""
    await tx.execute(update(Message).where(Message.room_id == room_id).values(content="", search=""))
    await tx.flush()


def _index(room: Chatroom) -> None:
    room.search = search.document(room.user_id, room.title, room.description)


def _touch(room: Chatroom) -> None:
    room.activity, room.updated_at = ids.new(), clock.now()


async def find_messages(tx: Tx, room_id: str, paging: PageRequest) -> Page[Any]:
    """A page of messages, newest page first, oldest message of the page first."""
    query = select(Message).where(Message.room_id == room_id)
    page = await newest(tx, query, paging, Message.id)
    return Page(items=page.items[::-1], next_cursor=page.next_cursor)
