"""Selection of the senders by settings; the console is the default."""

from dataclasses import dataclass

from hortus.core.configuration import Configuration, SettingsGroup
from hortus.core.http import Http
from hortus.senders import sms_http, smtp, twilio
from hortus.senders.base import MailSender, SmsSender
from hortus.senders.console import ConsoleMail, ConsoleSms
from hortus.senders.outbox import Senders, outbox_of
from hortus.senders.settings import MessageSettings

SETTINGS_GROUPS: tuple[type[SettingsGroup], ...] = (
    MessageSettings,
    smtp.SmtpSettings,
    twilio.TwilioSettings,
    sms_http.SmsHttpSettings,
)
"""The settings of every sender, and what they share."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether messages of each kind leave this installation."""

    mail: bool
    sms: bool


def select_senders(configuration: Configuration, http: Http) -> Senders:
    """The senders that the settings name. Connects to nothing; raises LookupError where settings are missing."""
    return Senders(_mail(configuration), _sms(configuration, http), configuration.derived(outbox_of))


def _mail(configuration: Configuration) -> MailSender:
    server = configuration.get(smtp.SmtpSettings)
    return smtp.SmtpMail(server, configuration.get(MessageSettings).brand) if server.host else ConsoleMail()


def _sms(configuration: Configuration, http: Http) -> SmsSender:
    match _sms_settings(configuration):
        case twilio.TwilioSettings() as account:
            return twilio.TwilioSms(account, http)
        case sms_http.SmsHttpSettings() as gateway:
            return sms_http.HttpSms(gateway, http)
    return ConsoleSms()


def _sms_settings(configuration: Configuration) -> twilio.TwilioSettings | sms_http.SmsHttpSettings | None:
    """Of the gateway for text messages that is configured, Twilio first; None without one."""
    account, gateway = configuration.get(twilio.TwilioSettings), configuration.get(sms_http.SmsHttpSettings)
    if account.account_sid:
        return account
    return gateway if gateway.url else None


def reach(configuration: Configuration) -> Reach:
    """Whether a mail server, and a gateway for text messages, are configured."""
    return Reach(mail=bool(configuration.get(smtp.SmtpSettings).host), sms=_sms_settings(configuration) is not None)
