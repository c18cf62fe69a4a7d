"""Mail and text messages: enqueued encrypted in the caller's transaction, sent after its commit."""

from hortus.senders.base import CheckableSender, Mail, MailSender, SenderRefused, SendFailed, Sms, SmsSender
from hortus.senders.outbox import URGENT, Outbox, Senders, send_mail, send_sms
from hortus.senders.rendering import LANGUAGES, TEMPLATES, language_of
from hortus.senders.selection import SETTINGS_GROUPS, Reach, reach, select_senders
from hortus.senders.settings import MessageSettings

__all__ = [
    "LANGUAGES",
    "SETTINGS_GROUPS",
    "TEMPLATES",
    "URGENT",
    "CheckableSender",
    "Mail",
    "MailSender",
    "MessageSettings",
    "Outbox",
    "Reach",
    "SendFailed",
    "SenderRefused",
    "Senders",
    "Sms",
    "SmsSender",
    "language_of",
    "reach",
    "select_senders",
    "send_mail",
    "send_sms",
]
