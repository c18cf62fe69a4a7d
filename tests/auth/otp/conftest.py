"""A running server on each of the two databases, and the messages it would have sent."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from tests.serving import Hortus, serve

from hortus.senders import Mail, Senders, Sms


@dataclass
class Post:
    """A sender of mail and text messages that keeps them. `real` as the server is told."""

    id: str = "post"
    real: bool = False
    messages: list[Mail | Sms] = field(default_factory=list)

    def missing(self) -> str | None:
        return None

    async def send(self, message: Mail | Sms, message_id: str) -> None:
        self.messages.append(message)

    def to(self, target: str) -> list[str]:
        return [message.text for message in self.messages if message.to == target]

    async def arrived(self, target: str, count: int) -> str:
        """The text of the message that makes it so many."""
        async with asyncio.timeout(10):
            while len(self.to(target)) < count:
                await asyncio.sleep(0.01)
        return self.to(target)[count - 1]

    async def code(self, target: str, count: int = 1) -> str:
        found = re.search(r"\b\d{6,10}\b", await self.arrived(target, count))
        assert found is not None
        return found[0]

    async def token(self, target: str, count: int = 1) -> str:
        found = re.search(r"#token=([\w-]+)", await self.arrived(target, count))
        assert found is not None
        return found[1]


def on_remote_events(hortus: Hortus, post: Post) -> None:
    """Let this server send by that post."""
    hortus.resources.add(Senders(post, post, hortus.resources.get(Senders).outbox))


@pytest.fixture
async def hortus(database_url: str, tmp_path) -> AsyncIterator[Hortus]:
    async with serve(database_url, tmp_path, principal_cache_seconds=0.0) as running:
        yield running


@pytest.fixture
def post(hortus: Hortus) -> Post:
    """What the server sends."""
    post = Post()
    on_remote_events(hortus, post)
    return post
