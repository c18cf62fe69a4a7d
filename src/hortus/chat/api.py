"""Routes of `/api/chatroom`."""

import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import Header, Query
from fastapi.responses import JSONResponse

from hortus import generation
from hortus.auth import Caller, limited_caller
from hortus.chat import service, turns
from hortus.chat.cache import invalidate_room_lists
from hortus.chat.schemas import (
    EditIn,
    FoundMessage,
    MessageIn,
    RegenerateIn,
    RoomChange,
    RoomIn,
    RoomLine,
    RoomOut,
    TurnOut,
)
from hortus.chat.send_batch import NewMessage
from hortus.chat.serialize import message_out, room_line, turn_out
from hortus.chat.state import ChatState
from hortus.chat.turns import Turn
from hortus.core.db import Database, Tx
from hortus.core.db.paging import Page, PageRequest
from hortus.core.events import Bus
from hortus.core.resources import Resources
from hortus.core.schemas import Id
from hortus.core.web.deps import (
    AllResources,
    IdempotencyHeader,
    PageParams,
    ReadTx,
    WriteTx,
    replayable_response,
)
from hortus.core.web.openapi import event_data, event_stream, make_router, open_to_keys
from hortus.core.web.sse import KEEP_ALIVE, EventStream, frame, last_event_id

router = make_router("/api/chatroom", "chat")
POLL_SECONDS = 5.0
"""How often the database is polled while no event arrives and another process may write replies without events."""
CONNECTED_POLL_SECONDS = 15.0
"""How often while the bus carries the events of every process."""


async def _room(tx: Tx, user_id: str, room_id: str, paging: PageRequest) -> RoomOut:
    room = await service.find_room(tx, user_id, room_id)
    page = await service.find_messages(tx, room_id, paging)
    messages = [message_out(row) for row in page.items]
    return RoomOut(**room_line(room).model_dump(), messages=messages, next_cursor=page.next_cursor)


@router.post("", status_code=201, response_model=RoomOut, openapi_extra=open_to_keys("chat"))
async def create_room(body: RoomIn, caller: Caller, tx: WriteTx, once: IdempotencyHeader) -> JSONResponse:
    """A new room."""

    async def make() -> RoomOut:
        room = await service.create_room(tx, caller.user_id, body.title, body.description)
        invalidate_room_lists(tx, caller.user_id)
        return RoomOut(**room_line(room).model_dump(), messages=[], next_cursor=None)

    async def again(stored: dict[str, Any]) -> None:
        await service.find_room(tx, caller.user_id, stored["id"])

    return await once.answer(tx, caller.user_id, body, make, again=again, status=201)


@router.get("", response_model=Page[RoomLine], openapi_extra=open_to_keys("chat"))
async def list_rooms(
    caller: Caller,
    resources: AllResources,
    paging: PageParams,
    archived: bool = False,
    pinned: bool | None = None,
    q: Annotated[str | None, Query(max_length=80, pattern=r"^[^\x00]*$")] = None,
) -> JSONResponse:
    """Your rooms, last used first; cached for a while, until your next write."""
    key = json.dumps([paging.limit, paging.cursor, archived, pinned, q])
    lists = resources[ChatState].room_lists
    cached = await lists.lookup(caller.user_id, key)
    if cached.value is not None:
        return JSONResponse(cached.value, headers={"X-Cache": "hit"})
    async with resources[Database].snapshot() as tx:
        page = await service.find_rooms(tx, caller.user_id, paging, archived=archived, pinned=pinned, words=q)
    shown = {
        "items": [room_line(room).model_dump(mode="json") for room in page.items],
        "next_cursor": page.next_cursor,
    }
    lists.store(cached, shown)
    return JSONResponse(shown, headers={"X-Cache": "miss"})


@router.get("/search", openapi_extra=open_to_keys("chat"))
async def search_messages(
    caller: Caller,
    tx: ReadTx,
    paging: PageParams,
    q: Annotated[str, Query(min_length=1, max_length=80, pattern=r"^[^\x00]*$")],
) -> Page[FoundMessage]:
    """Your messages and replies in which each word of `q` begins a word, newest first."""
    page = await service.find_messages_with(tx, caller.user_id, paging, q)
    titles = await service.titles_of(tx, {row.room_id for row in page.items})
    found = [
        FoundMessage(**message_out(row).model_dump(), room_id=row.room_id, room_title=titles[row.room_id])
        for row in page.items
    ]
    return Page(items=found, next_cursor=page.next_cursor)


@router.get("/{room_id}", openapi_extra=open_to_keys("chat"))
async def read_room(room_id: Id, caller: Caller, tx: ReadTx, paging: PageParams) -> RoomOut:
    """A room with its newest messages; `cursor` leads to older ones."""
    return await _room(tx, caller.user_id, room_id, paging)


@router.patch("/{room_id}", openapi_extra=open_to_keys("chat"))
async def change_room(room_id: Id, body: RoomChange, caller: Caller, tx: WriteTx) -> RoomLine:
    """Rename, describe, pin or archive a room."""
    changes = body.model_dump(exclude_unset=True)
    given = {name: value for name, value in changes.items() if value is not None or name == "description"}
    room = await service.change_room(tx, caller.user_id, room_id, given)
    invalidate_room_lists(tx, caller.user_id)
    return room_line(room)


@router.delete("/{room_id}", status_code=204, openapi_extra=open_to_keys("chat"))
async def delete_room(room_id: Id, caller: Caller, tx: WriteTx, resources: AllResources) -> None:
    """Delete a room with its messages. Replies in progress are stopped, and charged as when cancelled."""
    await service.delete_room(tx, resources[Bus], caller.user_id, room_id)
    invalidate_room_lists(tx, caller.user_id)


@router.post(
    "/{room_id}/message",
    status_code=202,
    response_model=TurnOut,
    dependencies=[limited_caller("message", "60/minute")],
    openapi_extra=open_to_keys("chat"),
)
async def send_message(
    room_id: Id,
    body: MessageIn,
    caller: Caller,
    resources: AllResources,
    once: IdempotencyHeader,
) -> JSONResponse:
    """Store a message; the reply is made in the background and streamed by `/events`.

    While an earlier reply is still being made, the message follows it: its own reply begins when that one has ended.
    """
    turn = Turn(caller, body.quality, body.model, tuple(body.attachments))
    claim = once.claim(caller.user_id, body)
    sent = await resources[ChatState].send(NewMessage(caller.user_id, room_id, body.content, turn, claim))
    return replayable_response(sent)


@router.post("/{room_id}/quote", openapi_extra=open_to_keys("chat"))
async def quote_message(
    room_id: Id, body: MessageIn, caller: Caller, tx: ReadTx, resources: AllResources
) -> generation.QuoteOut:
    """Price and time of the reply to a message, with the conversation that is sent along. Nothing is reserved."""
    turn = Turn(caller, body.quality, body.model, tuple(body.attachments))
    return await turns.quote(tx, resources, room_id, body.content, turn)


@router.post(
    "/{room_id}/message/{message_id}/regenerate",
    status_code=202,
    response_model=TurnOut,
    openapi_extra=open_to_keys("chat"),
)
async def regenerate(
    room_id: Id,
    message_id: Id,
    caller: Caller,
    tx: WriteTx,
    resources: AllResources,
    once: IdempotencyHeader,
    body: RegenerateIn | None = None,
) -> JSONResponse:
    """Another reply beside the old one."""
    body = body or RegenerateIn()
    turn = Turn(caller, body.quality, body.model)

    async def make() -> TurnOut:
        invalidate_room_lists(tx, caller.user_id)
        return turn_out(*await turns.regenerate(tx, resources, caller.user_id, room_id, message_id, turn))

    async def again(_stored: dict[str, Any]) -> None:
        await service.find_room(tx, caller.user_id, room_id)

    return await once.answer(tx, caller.user_id, body, make, again=again, status=202)


@router.patch(
    "/{room_id}/message/{message_id}", status_code=202, response_model=TurnOut, openapi_extra=open_to_keys("chat")
)
async def edit_message(
    room_id: Id,
    message_id: Id,
    body: EditIn,
    caller: Caller,
    tx: WriteTx,
    resources: AllResources,
    once: IdempotencyHeader,
) -> JSONResponse:
    """Another version of a message of yours, with a reply of its own; the old one stays as its sibling."""
    turn = Turn(caller, body.quality, body.model)

    async def make() -> TurnOut:
        invalidate_room_lists(tx, caller.user_id)
        return turn_out(*await turns.edit(tx, resources, caller.user_id, room_id, message_id, body.content, turn))

    async def again(_stored: dict[str, Any]) -> None:
        await service.find_room(tx, caller.user_id, room_id)

    return await once.answer(tx, caller.user_id, body, make, again=again, status=202)


_ENDED = {"content": {"type": ["string", "null"]}, "code": {"type": ["string", "null"]}}
_REPLY = event_data(message_id="string", status="string")
_REPLY["properties"] |= _ENDED


@router.get(
    "/{room_id}/events",
    response_class=EventStream,
    responses={
        200: event_stream(
            progress=event_data(generation_id="string", message_id="string", progress="integer"),
            delta=event_data(generation_id="string", message_id="string", text="string"),
            restart=event_data(generation_id="string", message_id="string"),
            done=_REPLY,
            error=_REPLY,
        )
    },
    openapi_extra=open_to_keys("chat"),
)
async def follow_room(
    room_id: Id,
    caller: Caller,
    resources: AllResources,
    last: Annotated[str | None, Header(alias="Last-Event-ID", max_length=30)] = None,
) -> EventStream:
    """The events of a room: `delta`, `done`, `error` and others; resumes by `Last-Event-ID`."""
    async with resources[Database].snapshot() as tx:
        room = await _room(tx, caller.user_id, room_id, PageRequest(20))
    ended = {message.id for message in room.messages if message.status != "pending"}
    return EventStream(_frames(resources, caller.user_id, room_id, last_event_id(last), ended), caller)


async def _frames(
    resources: Resources, user_id: str, room_id: str, after: int, ended: set[str]
) -> AsyncGenerator[bytes, None]:
    """The events of the bus, and replies whose event was lost: those in the database that are not in `ended`."""
    yield KEEP_ALIVE
    found: set[str] = set()
    bus, database = resources[Bus], resources[Database]
    listening = bus.subscribe(service.topic_of(room_id), after, POLL_SECONDS, CONNECTED_POLL_SECONDS)
    async with contextlib.aclosing(listening) as events:
        async for event in events:
            if event is not None:
                after = event.id
                if event.name in ("done", "error"):
                    if event.data["message_id"] in found:  # sent already
                        continue
                    ended.add(event.data["message_id"])
                yield frame(event.name, event.data, event.id)
                continue
            # No event: another process may have written a reply, so the database is read.
            async with database.snapshot() as tx:
                room = await _room(tx, user_id, room_id, PageRequest(20))
            for message in room.messages:
                if message.role == "assistant" and message.status != "pending" and message.id not in ended:
                    ended.add(message.id)
                    found.add(message.id)
                    after += 1
                    shown = {"message_id": message.id, "status": message.status, "content": message.content}
                    yield frame("done" if message.status == "done" else "error", shown, after)
            yield KEEP_ALIVE
