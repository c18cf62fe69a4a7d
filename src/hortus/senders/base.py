"""Interfaces of senders: messages, the protocols of mail and SMS senders, and their errors."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


class SendFailed(Exception):
    """A temporary failure; retry after `after` seconds if the vendor names a delay.

    The text is stored and logged: it must not contain an address, a code or the vendor's response.
    """

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class SenderRefused(Exception):
    """It will never be sent. The text obeys the rule of `SendFailed`."""


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
class CheckableSender(Protocol):
    """A sender that can test its credentials without sending a message."""

    async def check(self) -> str:
        """A short description of the vendor's response. Raises SendFailed."""


@runtime_checkable
class MailSender(Protocol):
    """Sends e-mail. `real` is whether messages leave this installation."""

    id: str
    real: bool

    def missing(self) -> str | None:
        """A missing or invalid setting, in one line; None when the sender is ready."""

    async def send(self, mail: Mail, message_id: str) -> None:
        """Send the mail; the same `message_id` is the same mail again. Raises SendFailed, SenderRefused."""


@runtime_checkable
class SmsSender(Protocol):
    """Sends text messages. `real` is whether messages leave this installation."""

    id: str
    real: bool

    def missing(self) -> str | None:
        """A missing or invalid setting, in one line; None when the sender is ready."""

    async def send(self, sms: Sms, message_id: str) -> None:
        """Send the message. Raises SendFailed, SenderRefused."""
