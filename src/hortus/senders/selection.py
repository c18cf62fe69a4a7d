"""Selection of the senders by settings; the console is the default."""

from dataclasses import dataclass
from typing import Literal

from hortus.core.configuration import SettingsGroup
from hortus.core.http import Http
from hortus.core.resources import Resources
from hortus.core.security.encryption import Encryptor
from hortus.core.settings import Settings
from hortus.senders import sms_http, smtp, twilio
from hortus.senders.base import MailSender, SmsSender
from hortus.senders.console import ConsoleMail, ConsoleSms
from hortus.senders.outbox import Outbox, Senders, origin_of
from hortus.senders.settings import MessageSettings

SETTINGS_GROUPS: tuple[type[SettingsGroup], ...] = (
    MessageSettings,
    smtp.SmtpSettings,
    twilio.TwilioSettings,
    sms_http.SmsHttpSettings,
)
"""The settings of every sender, and what they share."""


@dataclass(frozen=True, slots=True)
class SelectedSenders:
    """The chosen senders by id, and whether each one reaches people."""

    mail: str
    sms: str
    real_mail: bool
    real_sms: bool


def select_senders(settings: Settings, http: Http) -> Senders:
    """Build the senders from the environment, without network calls. Raises ValidationError for an invalid setting."""
    brand = MessageSettings().brand
    origins = frozenset({origin_of(settings.origin), origin_of(settings.frontend_base_url or settings.origin)})
    return Senders(
        _mail(brand), _sms(http), Outbox(brand, Encryptor(settings.keys_for("messages"), "messages"), origins)
    )


def _mail(brand: str) -> MailSender:
    given = smtp.SmtpSettings()
    return smtp.SmtpMail(given, brand) if given.host else ConsoleMail()


def _sms(http: Http) -> SmsSender:
    account = twilio.TwilioSettings()
    if account.account_sid:
        return twilio.TwilioSms(account, http)
    gateway = sms_http.SmsHttpSettings()
    return sms_http.HttpSms(gateway, http) if gateway.url else ConsoleSms()


def selected_senders(resources: Resources) -> SelectedSenders:
    """The senders in use."""
    senders = resources.get(Senders)
    return SelectedSenders(senders.mail.id, senders.sms.id, senders.mail.real, senders.sms.real)


def is_configured(_settings: Settings, channel: Literal["email", "sms"]) -> bool:
    """Whether a real sender is configured for a channel and no setting is missing.

    Makes no network calls. Raises pydantic's ValidationError for an invalid setting.
    """
    sender = _mail(MessageSettings().brand) if channel == "email" else _sms(Http())
    return sender.real and sender.missing() is None
