"""Mail and text messages: written in the caller's transaction, sealed while they wait, sent after it."""

from hortus.senders.base import Checkable, Mail, MailSender, SenderRefused, SendFailed, Sms, SmsSender
from hortus.senders.outbox import URGENT, Outbox, Senders, send_mail, send_sms
from hortus.senders.rendering import LANGUAGES, TEMPLATES, language_of
from hortus.senders.selection import SETTINGS_GROUPS, SelectedSenders, is_configured, select_senders, selected_senders
from hortus.senders.settings import MessageSettings

__all__ = [
    "LANGUAGES",
    "SETTINGS_GROUPS",
    "TEMPLATES",
    "URGENT",
    "Checkable",
    "Mail",
    "MailSender",
    "MessageSettings",
    "Outbox",
    "SelectedSenders",
    "SendFailed",
    "SenderRefused",
    "Senders",
    "Sms",
    "SmsSender",
    "is_configured",
    "language_of",
    "select_senders",
    "selected_senders",
    "send_mail",
    "send_sms",
]
