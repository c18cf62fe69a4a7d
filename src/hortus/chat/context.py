"""The conversation that a reply continues: the messages above it in the tree, within the limits of the settings."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Integer, Select, bindparam, literal, select
from sqlalchemy.orm import aliased

from hortus import generation, routing
from hortus.chat.tables import Message
from hortus.core.db import Tx
from hortus.core.settings import Settings
from hortus.routing import Size

SYSTEM, MAX_TOKENS = generation.CHAT_SYSTEM, generation.CHAT_MAX_TOKENS
IMAGE_TOKENS = 1000
"""Input tokens of one image, estimated."""
DEEPEST_WAIT = 200


class Conversation(NamedTuple):
    """The messages that a reply reads, oldest first, and the pending replies before it."""

    messages: list[dict[str, str]]
    pending: list[str]
    """Their ids, the nearest first."""


def size_of(settings: Settings, context: Conversation, attachments: int) -> Size:
    """The size of a reply: its conversation with the pending replies in it, and the longest answer."""
    stored = routing.estimate_tokens(SYSTEM) + sum(
        routing.estimate_tokens(each["content"]) for each in context.messages
    )
    coming = min(len(context.pending) * MAX_TOKENS, settings.chat_context_tokens)
    read = stored + coming + attachments * IMAGE_TOKENS
    return Size(tokens=read + MAX_TOKENS, answer_tokens=MAX_TOKENS)


async def conversations_of(tx: Tx, settings: Settings, messages: Sequence[Message]) -> list[Conversation]:
    """For each message the last ones up to and with it, as many and as long as the settings allow.

    Failed and pending replies are left out, and neighbours of one role become one, because some vendors require
    alternating roles.
    """
    # A message itself may not be stored yet, so the walk starts at its parent.
    parents = {message.parent_id for message in messages if message.parent_id is not None}
    lines = await lines_above(tx, parents, settings.chat_context_messages * 2)
    return [_conversation(message, lines.get(message.parent_id or "", ()), settings) for message in messages]


async def read_conversation(tx: Tx, settings: Settings, message_id: str) -> list[dict[str, str]]:
    """The conversation of a stored reply. Passed to `generation.Conversations` by `main`."""
    parent = aliased(Message)
    query = select(parent).join(Message, Message.parent_id == parent.id).where(Message.id == message_id)
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is None:  # erased in the meantime
        return []
    (context,) = await conversations_of(tx, settings, [found])
    return context.messages


async def lines_above(tx: Tx, starts: Collection[str], deepest: int = DEEPEST_WAIT) -> dict[str, list[Any]]:
    """For each message itself and those above it in the tree, at most `deepest`, the nearest first."""
    lines: dict[str, list[Any]] = {start: [] for start in starts}
    if starts:
        for row in await tx.execute(_chains(), {"parents": sorted(starts), "deepest": deepest}):
            lines[row.start].append(row)
    return lines


@cache
def _chains() -> Select[Any]:
    """The messages above each of some messages, nearest first."""
    columns = (Message.id, Message.parent_id, Message.role, Message.content, Message.status)
    first = select(Message.id.label("start"), *columns, literal(1).label("depth"))
    chain = first.where(Message.id.in_(bindparam("parents", expanding=True))).cte("chain", recursive=True)
    older = (
        select(chain.c.start, *columns, chain.c.depth + 1)
        .join(chain, Message.id == chain.c.parent_id)
        .where(chain.c.depth < bindparam("deepest", type_=Integer()))
    )
    chain = chain.union_all(older)
    picked = (chain.c.start, chain.c.id, chain.c.role, chain.c.content, chain.c.status)
    return select(*picked).order_by(chain.c.start, chain.c.depth)


def _conversation(message: Message, older: Sequence[Any], settings: Settings) -> Conversation:
    most, tokens = settings.chat_context_messages, settings.chat_context_tokens
    turns = [(message.role, message.content)]
    turns += [(row.role, row.content) for row in older if row.status == "done" and row.content]
    merged: list[dict[str, str]] = []
    left = tokens
    for role, content in turns[:most]:
        left -= routing.estimate_tokens(content)
        if merged and left < 0:
            break
        if merged and merged[-1]["role"] == role:
            merged[-1]["content"] = f"{content}\n\n{merged[-1]['content']}"
        else:
            merged.append({"role": role, "content": content})
    if merged[-1]["role"] == "assistant":
        merged.pop()  # a conversation begins with the user
    return Conversation(merged[::-1], [row.id for row in older if row.status == "pending"])
