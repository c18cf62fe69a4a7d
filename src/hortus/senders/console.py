"""The default sender: prints messages to standard output.

This is the only place that prints a code. Messages are never written to the log, which is stored and shipped.
"""

import sys

from hortus.senders.base import Mail, Sms


class ConsoleMail:
    """Prints mail."""

    id, real = "console", False

    def missing(self) -> str | None:
        """Nothing."""
        return None

    async def send(self, mail: Mail, message_id: str) -> None:
        """Print it."""
        _show(f"mail to {mail.to}", f"{mail.subject}\n\n{mail.text}")


class ConsoleSms:
    """Prints text messages."""

    id, real = "console", False

    def missing(self) -> str | None:
        """Nothing."""
        return None

    async def send(self, sms: Sms, message_id: str) -> None:
        """Print it."""
        _show(f"SMS to {sms.to}", sms.text)


def _show(title: str, text: str) -> None:
    lines = "\n".join(f"| {line}" for line in text.strip().splitlines())
    rule = "-" * 60
    # One write, so that blocks of parallel tasks never mix.
    sys.stdout.write(f"\n+-- {title} (not sent: no sender is configured)\n{lines}\n+{rule}\n")
    sys.stdout.flush()
