"""The seam for messages: what is sent, who sends it, and how that can fail."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


class SendFailed(Exception):
    """Try again later, after `after` seconds where the vendor says so.

    The text is stored and logged: it never repeats an address, a code or the vendor's own words.
    """

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class SenderRefused(Exception):
    """It will never be sent. The text obeys the rule of `NotSent`."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A rendered mail to one address."""

    to: str
    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Sms:
    """A rendered text message to one number in E.164."""

    to: str
    text: str


@runtime_checkable
class Checkable(Protocol):
    """A sender that can ask its vendor whether it is let in, without sending anything."""

    async def check(self) -> str:
        """What the vendor answered, in a few words. Raises NotSent."""


@runtime_checkable
class MailSender(Protocol):
    """Sends mail. `real` is whether it reaches anybody but the operator."""

    id: str
    real: bool

    def missing(self) -> str | None:
        """What an operator must still set, in one line; None when it is ready."""

    async def send(self, mail: Mail, message_id: str) -> None:
        """Hand the mail over; the same `message_id` is the same mail again. Raises NotSent, Refused."""


@runtime_checkable
class SmsSender(Protocol):
    """Sends text messages. `real` is whether it reaches anybody but the operator."""

    id: str
    real: bool

    def missing(self) -> str | None:
        """What an operator must still set, in one line; None when it is ready."""

    async def send(self, sms: Sms, message_id: str) -> None:
        """Hand the message over. Raises NotSent, Refused."""
