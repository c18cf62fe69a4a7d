"""Mail by SMTP, to any provider.

Settings: SMTP_HOST (or SMTP_SERVER), SMTP_PORT, SMTP_USERNAME (or SMTP_USER), SMTP_PASSWORD, SMTP_FROM (or FROM_EMAIL),
SMTP_FROM_NAME, SMTP_TLS (starttls, tls or none; by default tls on port 465 and starttls elsewhere), SMTP_CA_FILE for a
server whose certificate is your own, SMTP_TIMEOUT in seconds.

Certificates are always checked, and a password never travels unencrypted to another machine.
"""

import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime
from functools import cached_property
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, StringConstraints
from pydantic_settings import SettingsConfigDict

from hortus.core import clock, email_address
from hortus.core.configuration import FilePath, Rule, Secret, SettingsGroup, Text
from hortus.core.settings import LOOPBACK
from hortus.core.text import line
from hortus.senders.base import Mail, SenderRefused, SendFailed


class SmtpSettings(SettingsGroup):
    """Address and credentials of the mail server."""

    model_config = SettingsConfigDict(env_prefix="SMTP_")
    heading: ClassVar[str] = "Mail by SMTP"
    credentials: ClassVar[frozenset[str]] = frozenset({"username"})

    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:_-]{0,253}$"), Rule("a host name or address")] = (
        Field("", validation_alias=AliasChoices("SMTP_HOST", "SMTP_SERVER"))
    )
    """The mail server; without one, mails are shown on standard output."""
    port: int = Field(587, ge=1, le=65535)
    """Its port."""
    username: Text = Field("", validation_alias=AliasChoices("SMTP_USERNAME", "SMTP_USER"))
    """The user name at the mail server."""
    password: Secret = SecretStr("")
    """The password of that user."""
    sender: Text = Field("", validation_alias=AliasChoices("SMTP_FROM", "FROM_EMAIL", "SMTP_FROM_EMAIL"))
    """The sender address; defaults to the user name if that is an address."""
    from_name: Annotated[
        str,
        Field(max_length=60),
        AfterValidator(line),
        Rule("at most 60 characters without control characters"),
    ] = ""
    """The sender name; defaults to MESSAGE_BRAND."""
    tls: Literal["auto", "starttls", "tls", "none"] = "auto"
    """How the connection is encrypted; `auto` is tls on port 465 and starttls elsewhere."""
    ca_file: FilePath | None = None
    """The CA certificate of a mail server with a private CA."""
    timeout: float = Field(20.0, gt=0, le=80)
    """Seconds for one mail."""

    @property
    def security(self) -> Literal["starttls", "tls", "none"]:
        """How the connection is encrypted."""
        if self.tls != "auto":
            return self.tls
        return "tls" if self.port == 465 else "starttls"

    @property
    def from_address(self) -> str:
        """The sender address: the setting, or the user name if that is an address."""
        return self.sender or (self.username if "@" in self.username else "")


class SmtpMail:
    """Sends each mail over a connection of its own."""

    id, real = "smtp", True

    def __init__(self, settings: SmtpSettings, brand: str) -> None:
        self._settings = settings
        self._name = settings.from_name or brand

    def missing(self) -> str | None:
        """A missing or invalid setting."""
        given = self._settings
        if _wire_address(given.from_address) is None:
            return "SMTP_FROM must be the sender's e-mail address"
        if given.username and not given.password.get_secret_value():
            return "SMTP_PASSWORD is missing"
        if given.security == "none" and given.username and given.host not in LOOPBACK:
            return "SMTP_TLS=none would send the password in the clear; use starttls or tls"
        if given.ca_file is not None and not given.ca_file.is_file():
            return f"SMTP_CA_FILE: the file {given.ca_file} does not exist"
        return given.placeholder()

    async def send(self, mail: Mail, message_id: str) -> None:
        """Send the mail. The server's reply is never repeated in errors: it may quote the address."""
        import aiosmtplib  # noqa: PLC0415 - most installations that only try things never send mail

        lacking = self.missing()
        if lacking is not None:
            raise SendFailed(lacking)
        given = self._settings
        recipient = _wire_address(mail.to)
        if recipient is None:
            raise SenderRefused("this is no address to send to")
        message = self._message(mail, recipient, message_id)
        try:
            await aiosmtplib.send(
                message,
                sender=_wire_address(given.from_address),
                recipients=[recipient],
                hostname=given.host,
                port=given.port,
                username=given.username or None,
                password=given.password.get_secret_value() or None,
                local_hostname=self._domain,
                timeout=given.timeout,
                use_tls=given.security == "tls",
                start_tls=given.security == "starttls",
                tls_context=None if given.security == "none" else self._trust,
            )
        except aiosmtplib.SMTPAuthenticationError as error:
            raise SendFailed(f"the mail server does not accept the user name and password ({error.code})") from None
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _answered(error.recipients[0].code) from None
        except (aiosmtplib.SMTPDataError, aiosmtplib.SMTPSenderRefused) as error:
            raise _answered(error.code) from None
        except aiosmtplib.SMTPResponseException as error:
            raise SendFailed(f"the mail server answered {error.code}") from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise SendFailed(f"the mail server cannot be used: {type(error).__name__}") from None

    async def check(self) -> str:
        """Connect, encrypt and sign in as for a mail, and send none."""
        import aiosmtplib  # noqa: PLC0415 - see `send`

        given = self._settings
        client = aiosmtplib.SMTP(
            hostname=given.host,
            port=given.port,
            local_hostname=self._domain,
            timeout=given.timeout,
            use_tls=given.security == "tls",
            start_tls=given.security == "starttls",
            tls_context=None if given.security == "none" else self._trust,
        )
        try:
            await client.connect()
            if given.username:
                await client.login(given.username, given.password.get_secret_value())
            await client.quit()
        except aiosmtplib.SMTPAuthenticationError as error:
            raise SendFailed(f"the mail server does not accept the user name and password ({error.code})") from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise SendFailed(f"the mail server cannot be used: {type(error).__name__}") from None
        finally:
            client.close()
        return "the user name and password are accepted" if given.username else "the server answers"

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._settings.ca_file)

    @property
    def _domain(self) -> str:
        return (_wire_address(self._settings.from_address) or "@localhost").rpartition("@")[2]

    def _message(self, mail: Mail, recipient: str, message_id: str) -> EmailMessage:
        message = EmailMessage(policy=WIRE if recipient.isascii() else WIRE.clone(utf8=True))
        message["From"] = Address(self._name, addr_spec=_wire_address(self._settings.from_address) or "")
        message["To"] = Address(addr_spec=recipient)
        message["Subject"] = mail.subject
        message["Date"] = format_datetime(clock.now())
        # The same task has the same Message-ID, so that clients recognise a duplicate after a crash.
        message["Message-ID"] = f"<{message_id}@{self._domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        message.add_alternative(mail.html, subtype="html")
        return message


def _wire_address(address: str) -> str | None:
    """The address with its domain in ASCII; None if it is not an address."""
    try:
        found = email_address.parse(address, test_environment=True)
    except ValueError:
        return None
    return found.ascii_email or f"{found.local_part}@{found.ascii_domain}"


def _answered(code: int) -> SendFailed | SenderRefused:
    reason = f"the mail server answered {code}"
    return SenderRefused(reason) if code >= 500 else SendFailed(reason)
