"""Bodies of requests and answers of chat."""

from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, Field, StringConstraints

from hortus.core.schemas import Body, Id, Line, Lines, Time
from hortus.routing import Tier

Title = Annotated[str, StringConstraints(min_length=1, max_length=200), Line]
Description = Annotated[str, StringConstraints(max_length=2000), Lines]
Content = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
ModelId = Annotated[str, StringConstraints(min_length=1, max_length=80)]


class RoomIn(Body):
    """A new room."""

    title: Title = "New chat"
    description: Description | None = None


class RoomChange(Body):
    """The fields to change; absent fields stay."""

    title: Title | None = None
    description: Description | None = None
    pinned: bool | None = None
    archived: bool | None = None


class MessageIn(Body):
    """A message to answer. `attachments` are ids of images of yours."""

    content: Content = Field(validation_alias=AliasChoices("content", "message"), description="Also read as `message`")
    attachments: list[Id] = Field(default_factory=list, max_length=4)
    quality: Tier = "balanced"
    model: ModelId | None = None


class EditIn(Body):
    """Another version of a message of yours; it gets a reply of its own."""

    content: Content
    quality: Tier = "balanced"
    model: ModelId | None = None


class RegenerateIn(Body):
    """A request for another reply."""

    quality: Tier = "balanced"
    model: ModelId | None = None


class MessageOut(BaseModel):
    """One message of a room."""

    id: str
    role: Literal["user", "assistant"]
    content: str
    status: Literal["pending", "done", "error"]
    parent_id: str | None
    created_at: Time
    generation_id: str | None
    error_code: str | None


class FoundMessage(MessageOut):
    """A message that a search found, with its room."""

    room_id: str
    room_title: str


class RoomLine(BaseModel):
    """A room in a list."""

    id: str
    title: str
    description: str | None
    pinned: bool
    archived: bool
    created_at: Time
    updated_at: Time


class RoomOut(RoomLine):
    """A room with its newest messages, oldest of them first; `next_cursor` leads to older ones."""

    messages: list[MessageOut]
    next_cursor: str | None


class TurnOut(BaseModel):
    """The stored message and the reply that is being made."""

    message: MessageOut
    reply: MessageOut
    generation_id: str
