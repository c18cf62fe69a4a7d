"""A mail server on loopback: STARTTLS or TLS with a certificate of its own, AUTH, and answers on demand."""

import datetime as dt
import email
import ipaddress
import ssl
from collections import deque
from email import policy
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(folder: Path) -> tuple[Path, Path]:
    """A fresh certificate for 127.0.0.1 that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "mail.pem", folder / "mail.key"
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file


class _OnAnyPort(Controller):
    """Calls itself once when it starts, as aiosmtpd wants; the port is known only then."""

    def _trigger_server(self) -> None:
        self.port = int(self.server.sockets[0].getsockname()[1])
        super()._trigger_server()


class MailServer:
    """`with MailServer(folder) as server:` its mails are in `inbox`; `answers` are given before it accepts.

    `security` is starttls, tls or none; with `user` nobody sends without signing in.
    """

    def __init__(self, folder: Path, security: str = "starttls", user: tuple[str, str] | None = None) -> None:
        self.inbox: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self.answers: deque[str] = deque()
        self.recipient_answers: deque[str] = deque()
        self.signed_in: list[str] = []
        self.security, self._user = security, user
        self.ca_file, key = certificate(folder)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.ca_file, key)
        options: dict[str, Any] = {}
        if security == "starttls":
            options = {"tls_context": context, "require_starttls": True}
        if user is not None:
            options |= {"authenticator": self._check, "auth_required": True, "auth_require_tls": security == "starttls"}
        # aiosmtpd asks the name service for the machine's name unless it is told one.
        self._controller = _OnAnyPort(
            self,
            hostname="127.0.0.1",
            port=0,
            ssl_context=context if security == "tls" else None,
            server_hostname="mail.test",
            **options,
        )

    @property
    def port(self) -> int:
        return int(self._controller.port)

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop(no_assert=True)

    def environment(self) -> dict[str, str]:
        """The settings that send here."""
        given = {
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(self.port),
            "SMTP_FROM": "garden@example.com",
            "SMTP_TLS": self.security,
            "SMTP_CA_FILE": str(self.ca_file),
        }
        if self._user is not None:
            given |= {"SMTP_USERNAME": self._user[0], "SMTP_PASSWORD": self._user[1]}
        return given

    def _check(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, found: LoginPassword
    ) -> AuthResult:
        good = self._user is not None and (found.login.decode(), found.password.decode()) == self._user
        if good:
            self.signed_in.append(found.login.decode())
        return AuthResult(success=good, handled=False)  # handled=True would leave the client without an answer

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's own name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take a recipient, unless told otherwise; refusals quote the address as real servers do."""
        if self.recipient_answers:
            return f"{self.recipient_answers.popleft()} <{address}>"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - likewise
        """Keep the mail, unless told otherwise."""
        if self.answers:
            return self.answers.popleft()
        content = envelope.content
        raw = content if isinstance(content, bytes) else (content or "").encode()
        self.inbox.append(email.message_from_bytes(raw, policy=policy.default))  # type: ignore[arg-type]
        self.envelopes.append(envelope)
        return "250 kept"
