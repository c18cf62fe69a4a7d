"""Mail and text messages: written in the caller's transaction, sealed while they wait, sent after it."""

from hortus.senders.base import Checkable, Mail, MailSender, NotSent, Refused, Sms, SmsSender
from hortus.senders.choose import SETTINGS, Which, choose, configured, which
from hortus.senders.outbox import URGENT, Outbox, Senders, send_mail, send_sms
from hortus.senders.render import LANGUAGES, TEMPLATES, language_of
from hortus.senders.settings import Settings as MessageSettings

__all__ = [
    "LANGUAGES",
    "SETTINGS",
    "TEMPLATES",
    "URGENT",
    "Checkable",
    "Mail",
    "MailSender",
    "MessageSettings",
    "NotSent",
    "Outbox",
    "Refused",
    "Senders",
    "Sms",
    "SmsSender",
    "Which",
    "choose",
    "configured",
    "language_of",
    "send_mail",
    "send_sms",
    "which",
]
