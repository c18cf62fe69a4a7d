"""Which senders this installation has: whatever its settings name, the console otherwise."""

from dataclasses import dataclass

from hortus.core.http import Http
from hortus.core.resources import Resources
from hortus.core.sealing import Seal
from hortus.core.settings import Settings as CoreSettings
from hortus.senders.base import MailSender, SmsSender
from hortus.senders.console import ConsoleMail, ConsoleSms
from hortus.senders.outbox import Outbox, Senders
from hortus.senders.settings import Settings


@dataclass(frozen=True, slots=True)
class Which:
    """The chosen senders by id, and whether each one reaches people."""

    mail: str
    sms: str
    real_mail: bool
    real_sms: bool


def choose(settings: CoreSettings, http: Http) -> Senders:
    """Build the senders from the environment. Calls nobody."""
    outbox = Outbox(Settings().brand, Seal(settings.key, "messages"))
    return Senders(_mail(), _sms(http), outbox)


def _mail() -> MailSender:
    return ConsoleMail()


def _sms(http: Http) -> SmsSender:
    return ConsoleSms()


def configured(resources: Resources) -> Which:
    """Who sends here. A sender that still lacks a setting counts as real: its messages wait for the operator."""
    senders = resources.get(Senders)
    return Which(senders.mail.id, senders.sms.id, senders.mail.real, senders.sms.real)
