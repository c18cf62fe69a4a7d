"""Turns: a message and its reply in progress, stored in one transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, literal, select, update

from hortus import generation, tasks
from hortus.accounts import Principal
from hortus.chat.context import MAX_TOKENS, SYSTEM, Conversation, conversations_of, lines_above, size_of
from hortus.chat.errors import MessageNotFound, ReplyPending, RoomNotFound, WrongRole
from hortus.chat.service import PENDING, LockedRoom, find_room, lock_rooms, move_rooms, topic_of
from hortus.chat.tables import Message
from hortus.core import clock, context, ids
from hortus.core.db import Tx, search
from hortus.core.db.bulk import bulk_insert, in_json
from hortus.core.errors import Problem
from hortus.core.resources import Resources
from hortus.core.settings import Settings
from hortus.routing import Tier

_STORE = bulk_insert(
    Message, "id", "room_id", "parent_id", "role", "content", "status", "generation_id", "error_code", "waits_for",
    "request_id", "created_at", "search",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Turn:
    """The caller, and how the reply is to be generated."""

    caller: Principal
    quality: Tier
    model: str | None
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TurnStart:
    """A turn to begin in a locked room: its message, stored already unless `new`, and how to reply to it."""

    room: LockedRoom
    message: Message
    turn: Turn
    new: bool = True
    request_id: str = field(default_factory=context.request_id.get)


@dataclass(frozen=True, slots=True)
class _Draft:
    reply: Message
    request: generation.GenerationRequest


def user_message(room: LockedRoom, parent_id: str | None, content: str) -> Message:
    """A new message of the user; it is not stored yet."""
    return _message(room, parent_id, "user", content, "done")


async def edit(
    tx: Tx, resources: Resources, user_id: str, room_id: str, message_id: str, content: str, turn: Turn
) -> tuple[Message, Message]:
    """Another version of the user's message beside the old one, with a reply of its own."""
    room = await _lock_room(tx, user_id, room_id)
    old = await _find_message(tx, room, message_id, "user")
    same = [Message.role == "user", Message.content == content]
    same.append(Message.parent_id.is_(None) if old.parent_id is None else Message.parent_id == old.parent_id)
    await _refuse_second_reply(tx, room, select(Message.id).where(Message.room_id == room.id, *same))
    return await _begin(tx, resources, TurnStart(room, user_message(room, old.parent_id, content), turn))


async def regenerate(
    tx: Tx, resources: Resources, user_id: str, room_id: str, message_id: str, turn: Turn
) -> tuple[Message, Message]:
    """Another reply beside the old one."""
    room = await _lock_room(tx, user_id, room_id)
    old = await _find_message(tx, room, message_id, "assistant")
    message = await _find_message(tx, room, old.parent_id or "", "user")
    await _refuse_second_reply(tx, room, select(literal(message.id)))
    return await _begin(tx, resources, TurnStart(room, message, turn, new=False))


async def _refuse_second_reply(tx: Tx, room: LockedRoom, messages: Select[Any]) -> None:
    """Raise ReplyPending while one of these messages has a pending reply. The room must be locked."""
    query = select(Message.id, Message.generation_id).where(
        Message.room_id == room.id, Message.status == "pending", Message.parent_id.in_(messages)
    )
    found = (await tx.execute(query.limit(1))).first()
    if found is not None:
        raise ReplyPending(message_id=found.id, generation_id=found.generation_id)


async def _begin(tx: Tx, resources: Resources, start: TurnStart) -> tuple[Message, Message]:
    (reply,) = await begin_many(tx, resources, [start])
    if isinstance(reply, Problem):
        raise reply
    return start.message, reply


async def begin_many(tx: Tx, resources: Resources, starts: Sequence[TurnStart]) -> list[Message | Problem]:
    """Begin a turn in each of these rooms, which differ: the pending reply, or why it was refused.

    New messages are stored with their replies; of a turn that is refused nothing is stored.
    """
    settings = resources[Settings]
    conversations = await conversations_of(tx, settings, [start.message for start in starts])
    drafts = [_draft(resources, start, context) for start, context in zip(starts, conversations, strict=True)]
    good = [draft for draft in drafts if isinstance(draft, _Draft)]
    problems = iter(await generation.submit_many(tx, settings, [draft.request for draft in good], None) if good else ())
    answers = [draft if isinstance(draft, Problem) else next(problems) or draft.reply for draft in drafts]
    rows: list[dict[str, Any]] = []
    leaves: dict[str, str | None] = {}
    ready: list[tasks.NewTask] = []
    for start, reply in zip(starts, answers, strict=True):
        if isinstance(reply, Message):
            rows += [_row(each) for each in ((start.message, reply) if start.new else (reply,))]
            leaves[start.room.id] = reply.id  # the next message follows the reply, also while it is being made
            if reply.waits_for is None:
                ready.append(_task(reply.generation_id, start.room.user_id, start.request_id))
    if rows:
        await _STORE.run(tx, rows)
        await move_rooms(tx, leaves)
        await tasks.enqueue_many(tx, ready)
    return answers


def _task(generation_id: str | None, user_id: str, request_id: str | None) -> tasks.NewTask:
    payload = {"id": generation_id}
    return tasks.NewTask(generation.RUN["chat"], payload, user_id=user_id, request_id=request_id or "")


async def start_waiting(tx: Tx, user_ids: Mapping[str, str], ended: Collection[str]) -> None:
    """Enqueue the replies that waited for one of those that `ended` and wait for no other.

    `user_ids` are the owners of the rooms, which are locked.
    """
    columns = (Message.id, Message.room_id, Message.parent_id, Message.generation_id, Message.request_id)
    query = select(*columns).where(PENDING, in_json(Message.room_id, user_ids), in_json(Message.waits_for, ended))
    waiting = (await tx.execute(query)).all()
    if not waiting:
        return
    lines = await lines_above(tx, [row.parent_id for row in waiting])
    ready: list[tasks.NewTask] = []
    for row in waiting:
        earlier = next((each.id for each in lines[row.parent_id] if each.status == "pending"), None)
        await tx.execute(update(Message).where(Message.id == row.id).values(waits_for=earlier))
        if earlier is None:
            ready.append(_task(row.generation_id, user_ids[row.room_id], row.request_id))
    await tasks.enqueue_many(tx, ready)


def _draft(resources: Resources, start: TurnStart, context: Conversation) -> _Draft | Problem:
    turn, room = start.turn, start.room
    size = size_of(resources[Settings], context, len(turn.attachments))
    try:
        route = generation.choose_route(resources, turn.caller, "chat", turn.quality, turn.model, size)
    except Problem as problem:
        return problem
    reply = _message(room, start.message.id, "assistant", "", "pending")
    if context.pending:
        reply.waits_for, reply.request_id = context.pending[0], start.request_id
    params = {
        # A reply that waits reads its conversation when it begins: see `read_conversation`.
        **({} if context.pending else {"messages": context.messages}),
        "system": SYSTEM,
        "max_tokens": MAX_TOKENS,
        "attachments": list(turn.attachments),
    }
    request = generation.GenerationRequest(
        turn.caller,
        "chat",
        start.message.content,
        params,
        turn.quality,
        route,
        named=turn.model is not None,
        event_context=generation.EventContext(topic_of(room.id), room.id, reply.id),
        request_id=start.request_id,
    )
    reply.generation_id = request.id
    return _Draft(reply, request)


def _message(room: LockedRoom, parent_id: str | None, role: str, content: str, status: str) -> Message:
    return Message(
        id=ids.new(),
        room_id=room.id,
        parent_id=parent_id,
        role=role,
        content=content,
        status=status,
        generation_id=None,
        error_code=None,
        waits_for=None,
        request_id=None,
        created_at=clock.now(),
        search=search.document(room.user_id, content),
    )


def _row(message: Message) -> dict[str, Any]:
    return {column.key: getattr(message, column.key) for column in Message.__table__.columns}


async def _lock_room(tx: Tx, user_id: str, room_id: str) -> LockedRoom:
    room = (await lock_rooms(tx, [room_id])).get(room_id)
    if room is None or room.user_id != user_id:
        raise RoomNotFound
    return room


async def _find_message(tx: Tx, room: LockedRoom, message_id: str, role: str) -> Message:
    query = select(Message).where(Message.id == message_id, Message.room_id == room.id)
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:
        raise MessageNotFound
    if found.role != role:
        raise WrongRole
    return found


async def quote(tx: Tx, resources: Resources, room_id: str, content: str, turn: Turn) -> generation.QuoteOut:
    """Price and time of the reply to a message; nothing is stored or reserved."""
    room = await find_room(tx, turn.caller.user_id, room_id)
    settings = resources[Settings]
    message = user_message(LockedRoom(room.id, room.user_id, room.leaf_id, True), room.leaf_id, content)
    (context,) = await conversations_of(tx, settings, [message])
    size = size_of(settings, context, len(turn.attachments))
    route = generation.choose_route(resources, turn.caller, "chat", turn.quality, turn.model, size)
    return generation.quote_out(resources, route)
