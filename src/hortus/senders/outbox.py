"""The outbox: encrypted messages in the task table, so that the database contains no plain address or code.

A message is enqueued in the caller's transaction and sent at least once after the commit. Failures are retried with
backoff for about half an hour, then dead-lettered. The payload is erased once the message was sent.
"""

import json
from collections.abc import Coroutine, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

import structlog

from hortus import tasks
from hortus.core.configuration import Configuration
from hortus.core.db import Tx
from hortus.core.resources import Resources
from hortus.core.security.encryption import DecryptionFailed, Encryptor
from hortus.core.settings import Settings as CoreSettings
from hortus.senders import rendering
from hortus.senders.base import Mail, MailSender, SenderRefused, SendFailed, Sms, SmsSender
from hortus.senders.settings import MessageSettings

log = structlog.get_logger()
LONGEST_WAIT = 900.0


@dataclass(frozen=True, slots=True)
class Outbox:
    """Encrypts queued messages."""

    brand: str
    encryptor: Encryptor
    origins: frozenset[str]
    """Where links may lead: the origins that the operator configured."""


def outbox_of(configuration: Configuration) -> Outbox:
    """The outbox of an installation with these settings."""
    settings = configuration.get(CoreSettings)
    origins = frozenset({origin_of(settings.origin), origin_of(settings.frontend_base_url or settings.origin)})
    encryptor = Encryptor(settings.keys_for("messages"), "messages")
    return Outbox(configuration.get(MessageSettings).brand, encryptor, origins)


@dataclass(frozen=True, slots=True)
class Senders:
    """The mail and SMS senders, and the outbox."""

    mail: MailSender
    sms: SmsSender
    outbox: Outbox


URGENT = -10
"""Priority of messages that a user waits for, such as codes: they are sent before all others."""


async def send_mail(
    tx: Tx,
    *,
    to: str,
    template: str,
    language: str,
    values: Mapping[str, Any],
    user_id: str | None = None,
    priority: int = 0,
) -> None:
    """Enqueue an e-mail, sent after the commit. `rendering.TEMPLATES` lists the values of each template.

    An unknown language falls back to English. Raises ValueError for an unknown template, an invalid address or a
    link to another origin, and jinja2.UndefinedError for a missing value, before anything is enqueued.
    """
    outbox = _outbox(tx)
    _check_link(outbox, values)
    mail = rendering.mail(to, template, language, {**values, "brand": outbox.brand})
    await tasks.enqueue(tx, MAIL, _encrypted(outbox, mail), user_id=user_id, priority=priority)


async def send_sms(
    tx: Tx,
    *,
    to: str,
    template: str,
    language: str,
    values: Mapping[str, Any],
    user_id: str | None = None,
    priority: int = 0,
) -> None:
    """Send a text message once the transaction has committed; `to` is in E.164. Otherwise as `send_mail`."""
    outbox = _outbox(tx)
    _check_link(outbox, values)
    sms = rendering.sms(to, template, language, {**values, "brand": outbox.brand})
    await tasks.enqueue(tx, SMS, _encrypted(outbox, sms), user_id=user_id, priority=priority)


def origin_of(url: str) -> str:
    """The scheme, host and port of a URL, as it is compared; raises ValueError for anything else."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("this is no address of a website")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def _check_link(outbox: Outbox, values: Mapping[str, Any]) -> None:
    """Refuse links to other origins, so that a Host header or parameter cannot direct links in messages."""
    link = values.get("link")
    if link is None:
        return
    if not isinstance(link, str) or not link.isprintable() or "\\" in link or origin_of(link) not in outbox.origins:
        raise ValueError("messages link to the configured origin only: PUBLIC_URL or FRONTEND_BASE_URL")


def _outbox(tx: Tx) -> Outbox:
    return tx.derived(outbox_of)


def _encrypted(outbox: Outbox, message: Mail | Sms) -> dict[str, Any]:
    return {"sealed": outbox.encryptor.encrypt(json.dumps(asdict(message), ensure_ascii=False))}


def _decrypted(outbox: Outbox, task: tasks.ClaimedTask) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(outbox.encryptor.decrypt(task.payload["sealed"]))
    except (DecryptionFailed, KeyError) as error:
        raise tasks.PermanentFailure(f"the message was not sent: {error}") from error
    return found


async def _deliver_mail(resources: Resources, task: tasks.ClaimedTask) -> None:
    senders = resources[Senders]
    await _deliver(task, senders.mail.send(Mail(**_decrypted(senders.outbox, task)), task.id))


async def _deliver_sms(resources: Resources, task: tasks.ClaimedTask) -> None:
    senders = resources[Senders]
    await _deliver(task, senders.sms.send(Sms(**_decrypted(senders.outbox, task)), task.id))


async def _deliver(task: tasks.ClaimedTask, sending: Coroutine[Any, Any, None]) -> None:
    """Send. Errors are reported without the vendor's text, which may quote an address or a code."""
    try:
        await sending
    except SenderRefused as refusal:
        log.warning("message_refused", task=task.name, id=task.id, reason=str(refusal))
        raise tasks.PermanentFailure(str(refusal)) from None
    except SendFailed as failure:
        reason, after = str(failure), failure.after
    except Exception as error:
        reason, after = f"the sender failed: {type(error).__name__}", None
    else:
        return
    log.warning("message_not_sent", task=task.name, id=task.id, attempt=task.attempt, reason=reason)
    raise tasks.Retry(None if after is None else min(after, LONGEST_WAIT), reason)


MAIL = tasks.register(
    "senders.mail",
    _deliver_mail,
    queue="mail",
    time_limit=90,
    attempts=10,
    backoff=5,
    longest_backoff=LONGEST_WAIT,
    erase_payload=True,
)
SMS = tasks.register(
    "senders.sms",
    _deliver_sms,
    queue="mail",
    time_limit=60,
    attempts=10,
    backoff=5,
    longest_backoff=LONGEST_WAIT,
    erase_payload=True,
)
