"""Text messages through Twilio's REST API.

Settings: TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, and TWILIO_PHONE_NUMBER (or TWILIO_FROM) or
TWILIO_MESSAGING_SERVICE_SID. TWILIO_BASE_URL is for tests and compatible services, TWILIO_TIMEOUT in seconds.
"""

import base64
from typing import ClassVar
from urllib.parse import quote, urlencode

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from hortus.core.configuration import Secret, SettingsGroup, Text, WebAddress
from hortus.core.http import Http, HttpError, Response
from hortus.senders.base import SenderRefused, SendFailed, Sms
from hortus.senders.retry_after import retry_after_seconds

UNREACHABLE = {21211, 21214, 21217, 21408, 21610, 21612, 21614, 30003, 30004, 30005, 30006}
"""Twilio's codes for numbers that this message will never reach."""


class TwilioSettings(SettingsGroup):
    """Credentials of the account, and the sender number or messaging service."""

    model_config = SettingsConfigDict(env_prefix="TWILIO_")
    heading: ClassVar[str] = "Text messages by Twilio"
    credentials: ClassVar[frozenset[str]] = frozenset({"account_sid", "sender", "messaging_service_sid"})

    account_sid: Text = ""
    """The account (`AC…`)."""
    auth_token: Secret = SecretStr("")
    """Its token."""
    sender: Text = Field("", validation_alias=AliasChoices("TWILIO_PHONE_NUMBER", "TWILIO_FROM"))
    """The sender number."""
    messaging_service_sid: Text = ""
    """The messaging service that sends, instead of a number."""
    base_url: WebAddress = "https://api.twilio.com"
    """For tests and compatible services."""
    timeout: float = Field(20.0, gt=0, le=50)
    """Seconds for one message."""


class TwilioSms:
    """Sends through Twilio."""

    id, real = "twilio", True

    def __init__(self, settings: TwilioSettings, http: Http) -> None:
        self._settings, self._http = settings, http

    def missing(self) -> str | None:
        """A missing or invalid setting."""
        given = self._settings
        if not given.auth_token.get_secret_value():
            return "TWILIO_AUTH_TOKEN is missing"
        if not given.sender and not given.messaging_service_sid:
            return "set TWILIO_PHONE_NUMBER or TWILIO_MESSAGING_SERVICE_SID"
        return given.placeholder()

    async def send(self, sms: Sms, message_id: str) -> None:
        """Hand the message over."""
        lacking = self.missing()
        if lacking is not None:
            raise SendFailed(lacking)
        given = self._settings
        sender = (
            {"MessagingServiceSid": given.messaging_service_sid}
            if given.messaging_service_sid
            else {"From": given.sender}
        )
        try:
            answer = await self._http.request(
                "POST",
                f"{self._account}/Messages.json",
                headers={**self._authorization, "Content-Type": "application/x-www-form-urlencoded"},
                body=urlencode({"To": sms.to, "Body": sms.text, **sender}).encode(),
                timeout=given.timeout,
                max_bytes=64 * 1024,
            )
        except HttpError as error:
            raise SendFailed(f"Twilio cannot be reached: {type(error).__name__}") from None
        if answer.status not in (200, 201):
            raise _failure(answer)

    async def check(self) -> str:
        """Read the account, which tests the credentials."""
        try:
            answer = await self._http.request(
                "GET",
                f"{self._account}.json",
                headers=self._authorization,
                timeout=self._settings.timeout,
                max_bytes=64 * 1024,
            )
        except HttpError as error:
            raise SendFailed(f"Twilio cannot be reached: {type(error).__name__}") from None
        if answer.status != 200:
            raise SendFailed(
                f"Twilio answered {answer.status}" + (": key refused" if answer.status in (401, 403) else "")
            )
        return "the account is accepted"

    @property
    def _account(self) -> str:
        given = self._settings
        return f"{given.base_url.rstrip('/')}/2010-04-01/Accounts/{quote(given.account_sid, safe='')}"

    @property
    def _authorization(self) -> dict[str, str]:
        user = f"{self._settings.account_sid}:{self._settings.auth_token.get_secret_value()}"
        return {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}


def _failure(answer: Response) -> SendFailed | SenderRefused:
    code = _code(answer)
    reason = f"Twilio answered {answer.status}" + (f", code {code}" if code else "")
    # After a wrong account or token the message is retried, so that the operator can correct the settings.
    if code in UNREACHABLE or answer.status == 400:
        return SenderRefused(reason)
    return SendFailed(reason, retry_after_seconds(answer))


def _code(answer: Response) -> int | None:
    try:
        found = answer.json()
    except HttpError:
        return None
    code = found.get("code") if isinstance(found, dict) else None
    return code if isinstance(code, int) and 0 < code < 100_000 else None
