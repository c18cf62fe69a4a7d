"""A sender of mail and text messages that keeps them, so that tests can read codes and links."""

import asyncio
import re
from dataclasses import dataclass, field

from hortus.senders import Mail, Senders, Sms
from tests.helpers.server import Hortus


@dataclass
class Mailbox:
    """Messages of one server. `real` is what the sender reports: whether messages reach people."""

    id: str = "mailbox"
    real: bool = False
    messages: list[Mail | Sms] = field(default_factory=list)

    def missing(self) -> str | None:
        return None

    async def send(self, message: Mail | Sms, message_id: str) -> None:
        self.messages.append(message)

    def attach(self, hortus: Hortus) -> None:
        """Replace the senders of the server by this mailbox."""
        hortus.resources.add(Senders(self, self, hortus.resources[Senders].outbox))

    def to(self, target: str) -> list[str]:
        """The texts sent to `target`, oldest first."""
        return [message.text for message in self.messages if message.to == target]

    async def arrived(self, target: str, count: int) -> str:
        """Wait for the message number `count` to `target`; its text."""
        async with asyncio.timeout(10):
            while len(self.to(target)) < count:
                await asyncio.sleep(0.01)
        return self.to(target)[count - 1]

    async def code(self, target: str, count: int = 1) -> str:
        """The code in the message number `count` to `target`."""
        found = re.search(r"\b\d{6,10}\b", await self.arrived(target, count))
        assert found is not None
        return found[0]

    async def token(self, target: str, count: int = 1) -> str:
        """The token of the link in the message number `count` to `target`."""
        found = re.search(r"#token=([\w-]+)", await self.arrived(target, count))
        assert found is not None
        return found[1]
