"""Send messages in batches: messages that arrive together share one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hortus import files
from hortus.chat import service, turns
from hortus.chat.cache import invalidate_room_lists
from hortus.chat.errors import RoomNotFound
from hortus.chat.serialize import turn_out
from hortus.chat.service import LockedRoom
from hortus.chat.tables import Message
from hortus.chat.turns import Turn, TurnStart
from hortus.core import context
from hortus.core.db import Tx
from hortus.core.errors import Problem
from hortus.core.idempotency import Claim, IdempotentResponse, ReplayBatch
from hortus.core.resources import Resources


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to a room, and the idempotency claim of its request, if any."""

    user_id: str
    room_id: str
    content: str
    turn: Turn
    claim: Claim | None
    request_id: str = field(default_factory=context.request_id.get)


async def send_many(
    tx: Tx, items: Sequence[NewMessage], *, resources: Resources
) -> list[IdempotentResponse | Exception]:
    """The answer to each: the stored one for a repeat, the message with its pending reply, or the refusal."""

    async def check(tx: Tx, stored: Mapping[int, IdempotentResponse]) -> dict[int, Problem]:
        existing = await service.existing_rooms(tx, [items[place].room_id for place in stored])
        return {place: RoomNotFound() for place in stored if items[place].room_id not in existing}

    batch = ReplayBatch([item.claim for item in items])
    while places := await batch.next_places(tx, check):
        await batch.store(tx, places, await _send(tx, resources, [items[place] for place in places]))
    return batch.responses


async def _send(tx: Tx, resources: Resources, items: Sequence[NewMessage]) -> list[IdempotentResponse | Problem]:
    """Send messages in order: the second one to a room follows the reply to the first."""
    answers: dict[int, IdempotentResponse | Problem] = {}
    left = list(range(len(items)))
    while left:
        first = {items[place].room_id: place for place in reversed(left)}
        now = [place for place in left if first[items[place].room_id] == place]
        sent = await _send_apart(tx, resources, [items[place] for place in now])
        answers.update(zip(now, sent, strict=True))
        left = [place for place in left if place not in answers]
    return [answers[place] for place in range(len(items))]


async def _send_apart(tx: Tx, resources: Resources, items: Sequence[NewMessage]) -> list[IdempotentResponse | Problem]:
    """Send messages to rooms that differ."""
    rooms = await service.lock_rooms(tx, [item.room_id for item in items])
    starts = [await _start(tx, item, rooms.get(item.room_id)) for item in items]
    begun = iter(await turns.begin_many(tx, resources, [start for start in starts if isinstance(start, TurnStart)]))
    return [start if isinstance(start, Problem) else _answer(tx, start, next(begun)) for start in starts]


def _answer(tx: Tx, start: TurnStart, reply: Message | Problem) -> IdempotentResponse | Problem:
    if isinstance(reply, Problem):
        return reply
    invalidate_room_lists(tx, start.room.user_id)
    return IdempotentResponse(202, turn_out(start.message, reply).model_dump(mode="json"))


async def _start(tx: Tx, item: NewMessage, room: LockedRoom | None) -> TurnStart | Problem:
    if room is None or room.user_id != item.user_id:
        return RoomNotFound()
    try:
        for file_id in item.turn.attachments:
            await files.find(tx, item.user_id, file_id)
    except Problem as problem:
        return problem
    return TurnStart(room, turns.user_message(room, room.leaf_id, item.content), item.turn, request_id=item.request_id)
