"""Rooms and their messages. Messages form a tree: siblings are other versions of one turn."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from hortus.core.db import Base, id_type
from hortus.core.db.search import Searchable

_DELETED, _PENDING = text("deleted_at IS NOT NULL"), text("status = 'pending'")


class Chatroom(Searchable, Base):
    """A conversation. `activity` is an id that is renewed at every write: newer activity sorts later."""

    __tablename__ = "chatrooms"
    __table_args__ = (
        Index("ix_chatrooms_of_user", "user_id", "activity"),
        Index("ix_chatrooms_deleted", "deleted_at", postgresql_where=_DELETED, sqlite_where=_DELETED),
    )

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    user_id: Mapped[str] = mapped_column(id_type())
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str | None] = mapped_column(String(2000))
    pinned: Mapped[bool]
    archived: Mapped[bool]
    activity: Mapped[str] = mapped_column(id_type())
    leaf_id: Mapped[str | None] = mapped_column(id_type())
    """The message that the next turn answers to."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class Message(Searchable, Base):
    """One message. A reply that failed has status `error` and no content: it is never context."""

    __tablename__ = "messages"
    __table_args__ = (
        Index("ix_messages_of_room", "room_id", "id"),
        Index("ix_messages_pending", "room_id", postgresql_where=_PENDING, sqlite_where=_PENDING),
    )

    id: Mapped[str] = mapped_column(id_type(), primary_key=True)
    room_id: Mapped[str] = mapped_column(ForeignKey("chatrooms.id"))
    parent_id: Mapped[str | None] = mapped_column(id_type())
    role: Mapped[str] = mapped_column(String(10))
    content: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(10))
    generation_id: Mapped[str | None] = mapped_column(id_type())
    error_code: Mapped[str | None] = mapped_column(String(40))
    waits_for: Mapped[str | None] = mapped_column(id_type())
    """Of a pending reply: the earlier one, also pending, that it will have as context. It begins when that ends."""
    request_id: Mapped[str | None] = mapped_column(String(128))
    """Of a reply that waits: the request that asked for it, for its task."""
    created_at: Mapped[datetime]
