"""Rooms, messages, and one turn: a message stored and its reply under way in one transaction."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, literal, select, update

from hortus import files, generation, routing
from hortus.accounts import Principal
from hortus.chat.errors import MessageNotFound, RoomNotFound, WrongRole
from hortus.chat.tables import Chatroom, Message
from hortus.core import clock, ids
from hortus.core.db import Tx
from hortus.core.paging import Page, Paging, newest
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.routing import Size, Tier

SYSTEM = "You are a helpful assistant. Answer in the language of the user, briefly unless asked for more."
MAX_TOKENS = 1024


def topic_of(room_id: str) -> str:
    """Where the news of a room is published."""
    return f"chatroom/{room_id}"


@dataclass(frozen=True, slots=True)
class Turn:
    """How a reply is to be made, and for whom."""

    caller: Principal
    quality: Tier
    model: str | None
    attachments: tuple[str, ...] = ()


# Rooms -----------------------------------------------------------------------


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


async def find_rooms(
    tx: Tx, user_id: str, paging: Paging, *, archived: bool, pinned: bool | None, words: str | None
) -> Page[Any]:
    """The user's rooms, last used first."""
    query = select(Chatroom).where(
        Chatroom.user_id == user_id, Chatroom.deleted_at.is_(None), Chatroom.archived.is_(archived)
    )
    if pinned is not None:
        query = query.where(Chatroom.pinned.is_(pinned))
    if words:
        query = query.where(
            Chatroom.title.icontains(words, autoescape=True) | Chatroom.description.icontains(words, autoescape=True)
        )
    return await newest(tx, query, paging, Chatroom.activity)


async def change_room(tx: Tx, user_id: str, room_id: str, changes: dict[str, Any]) -> Chatroom:
    """Change the fields that are given."""
    room = await find_room(tx, user_id, room_id, lock=True)
    for name, value in changes.items():
        setattr(room, name, value)
    _touch(room)
    await tx.flush()
    return room


async def delete_room(tx: Tx, user_id: str, room_id: str) -> None:
    """Delete a room with everything said in it."""
    room = await find_room(tx, user_id, room_id, lock=True)
    room.deleted_at, room.title, room.description = clock.now(), "", None
    await tx.execute(update(Message).where(Message.room_id == room_id).values(content=""))
    await tx.flush()


def _touch(room: Chatroom) -> None:
    room.activity, room.updated_at = ids.new(), clock.now()


async def find_messages(tx: Tx, room_id: str, paging: Paging) -> Page[Any]:
    """A page of messages, newest page first, oldest message of the page first."""
    query = select(Message).where(Message.room_id == room_id)
    page = await newest(tx, query, paging, Message.id)
    return Page(items=page.items[::-1], next_cursor=page.next_cursor)


async def _find_message(tx: Tx, room: Chatroom, message_id: str, role: str) -> Message:
    query = select(Message).where(Message.id == message_id, Message.room_id == room.id)
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        raise MessageNotFound
    if found.role != role:
        raise WrongRole
    return found


# Turns -----------------------------------------------------------------------


async def send(
    tx: Tx, resources: Resources, user_id: str, room_id: str, content: str, turn: Turn
) -> tuple[Message, Message]:
    """Store a message and start its reply; raises what quotas and ledger refuse."""
    room = await find_room(tx, user_id, room_id, lock=True)
    for file_id in turn.attachments:
        await files.find(tx, user_id, file_id)
    message = await _add_message(tx, room, room.leaf_id, "user", content, "done")
    return message, await _start_reply(tx, resources, room, message, turn)


async def edit(
    tx: Tx, resources: Resources, user_id: str, room_id: str, message_id: str, content: str, turn: Turn
) -> tuple[Message, Message]:
    """Another version of the user's message beside the old one, with a reply of its own."""
    room = await find_room(tx, user_id, room_id, lock=True)
    old = await _find_message(tx, room, message_id, "user")
    message = await _add_message(tx, room, old.parent_id, "user", content, "done")
    return message, await _start_reply(tx, resources, room, message, turn)


async def regenerate(
    tx: Tx, resources: Resources, user_id: str, room_id: str, message_id: str, turn: Turn
) -> tuple[Message, Message]:
    """Another reply beside the old one."""
    room = await find_room(tx, user_id, room_id, lock=True)
    old = await _find_message(tx, room, message_id, "assistant")
    message = await _find_message(tx, room, old.parent_id or "", "user")
    return message, await _start_reply(tx, resources, room, message, turn)


async def _start_reply(tx: Tx, resources: Resources, room: Chatroom, message: Message, turn: Turn) -> Message:
    settings = resources.get(Settings)
    history = await context_of(tx, message, settings.chat_context_messages, settings.chat_context_tokens)
    size = Size(tokens=sum(routing.estimate_tokens(each["content"]) for each in history) + MAX_TOKENS)
    route = generation.choose_route(resources, turn.caller, "chat", turn.quality, turn.model, size)
    wish_id = ids.new()
    reply = await _add_message(tx, room, message.id, "assistant", "", "pending", generation_id=wish_id)
    asked = {
        "messages": history,
        "system": SYSTEM,
        "max_tokens": MAX_TOKENS,
        "attachments": list(turn.attachments),
        "topics": [topic_of(room.id)],
        "marks": {"room_id": room.id, "message_id": reply.id},
    }
    wish = generation.Wish(
        turn.caller, "chat", message.content, asked, turn.quality, route, named=turn.model is not None, id=wish_id
    )
    await generation.submit(tx, settings, wish, generation.RUN)
    room.leaf_id = message.id
    _touch(room)
    await tx.flush()
    return reply


async def _add_message(
    tx: Tx,
    room: Chatroom,
    parent_id: str | None,
    role: str,
    content: str,
    status: str,
    *,
    generation_id: str | None = None,
) -> Message:
    row = {
        "id": ids.new(),
        "room_id": room.id,
        "parent_id": parent_id,
        "role": role,
        "content": content,
        "status": status,
        "generation_id": generation_id,
        "created_at": clock.now(),
    }
    await tx.execute(insert(Message), row)
    return Message(**row)


async def context_of(tx: Tx, message: Message, most: int, tokens: int) -> list[dict[str, str]]:
    """The last `most` messages up to and with `message`, oldest first, within `tokens` estimated tokens.

    Only what was really said: replies that failed or are still pending are left out, and
    neighbours of one role become one, because some vendors insist on turns.
    """
    # The message itself may not be flushed where the query looks, so the walk starts at its parent.
    chain = (
        select(Message.id, Message.parent_id, Message.role, Message.content, Message.status, literal(1).label("depth"))
        .where(Message.id == message.parent_id, Message.room_id == message.room_id)
        .cte("chain", recursive=True)
    )
    older = (
        select(Message.id, Message.parent_id, Message.role, Message.content, Message.status, chain.c.depth + 1)
        .join(chain, Message.id == chain.c.parent_id)
        .where(chain.c.depth < most * 2)
    )
    chain = chain.union_all(older)
    rows = (await tx.execute(select(chain.c.role, chain.c.content, chain.c.status).order_by(chain.c.depth))).all()
    said = [(message.role, message.content)]
    said += [(row.role, row.content) for row in rows if row.status == "done" and row.content]
    kept: list[dict[str, str]] = []
    left = tokens
    for role, content in said[:most]:
        left -= routing.estimate_tokens(content)
        if kept and left < 0:
            break
        if kept and kept[-1]["role"] == role:
            kept[-1]["content"] = f"{content}\n\n{kept[-1]['content']}"
        else:
            kept.append({"role": role, "content": content})
    if kept[-1]["role"] == "assistant":
        kept.pop()  # a conversation begins with the user
    return kept[::-1]


async def end_reply(tx: Tx, ended: generation.Ended) -> str | None:
    """Give a pending reply its text or its error, in the transaction that ends its generation.

    Returns the id of its room; None when the generation was not a chat reply.
    """
    marks = ended.asked.get("marks", {})
    if ended.kind != "chat" or "message_id" not in marks:
        return None
    good = ended.status == "succeeded"
    # The room first, as whoever writes to it or deletes it does.
    room = (await tx.execute(select(Chatroom).where(Chatroom.id == marks["room_id"]).with_for_update())).scalar_one()
    await tx.execute(
        update(Message)
        .where(Message.id == marks["message_id"], Message.status == "pending")
        .values(
            content=(ended.text or "") if good else "",
            status="done" if good else "error",
            error_code=None if good else ended.error_code or ended.status,
        )
    )
    if good and room.deleted_at is None:
        parent = select(Message.parent_id).where(Message.id == marks["message_id"])
        if (await tx.execute(parent)).scalar_one() == room.leaf_id:
            room.leaf_id = marks["message_id"]
        _touch(room)
        await tx.flush()
    if room.deleted_at is not None:
        await tx.execute(update(Message).where(Message.id == marks["message_id"]).values(content=""))
    return room.id


async def blank_reply(tx: Tx, gone: generation.TakenDown) -> str | None:
    """Empty the reply that was made of a work taken down; the id of its room, None when it was no reply."""
    marks = gone.asked.get("marks", {})
    if gone.kind != "chat" or "message_id" not in marks:
        return None
    await tx.execute(select(Chatroom.id).where(Chatroom.id == marks["room_id"]).with_for_update())
    emptied = update(Message).where(Message.id == marks["message_id"])
    await tx.execute(emptied.values(content="", status="error", error_code="taken_down"))
    return str(marks["room_id"])
