"""Text messages through any gateway that takes a JSON POST.

Settings: SMS_HTTP_URL, SMS_HTTP_HEADERS (a JSON object, such as {"X-Key": "k"}), SMS_HTTP_BODY (a JSON object in which
`{to}` and `{text}` stand for the number and the message), SMS_HTTP_TIMEOUT in seconds. Any 2xx is a success; 408, 429
and 5xx are tried again, and so are 401, 403 and 404, for the operator to mend; everything else is final.
"""

from typing import Annotated, Any, ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from hortus.core.configuration import Json, Rule, SettingsGroup, WebAddress
from hortus.core.http import Http, HttpError
from hortus.senders.base import SenderRefused, SendFailed, Sms
from hortus.senders.retry_after import retry_after_seconds


class SmsHttpSettings(SettingsGroup):
    """Address, headers and body of the gateway."""

    model_config = SettingsConfigDict(env_prefix="SMS_HTTP_")
    heading: ClassVar[str] = "Text messages by any gateway that takes JSON"

    url: WebAddress = ""
    """Where messages are posted to."""
    headers: Annotated[dict[str, SecretStr], *Json, Rule('a JSON object of headers, such as {"X-Key": "k"}')] = Field(
        default_factory=dict
    )
    """Headers that authenticate at the gateway."""
    body: Annotated[dict[str, Any], *Json, Rule('a JSON object, such as {"to": "{to}", "text": "{text}"}')] = Field(
        default_factory=lambda: {"to": "{to}", "text": "{text}"}
    )
    """The JSON body; `{to}` and `{text}` are replaced by the number and the message."""
    timeout: float = Field(20.0, gt=0, le=50)
    """Seconds for one message."""


class HttpSms:
    """Sends through a gateway."""

    id, real = "sms_http", True

    def __init__(self, settings: SmsHttpSettings, http: Http) -> None:
        self._settings, self._http = settings, http

    def missing(self) -> str | None:
        """A missing or invalid setting."""
        shape = str(self._settings.body)
        if "{to}" not in shape or "{text}" not in shape:
            return "SMS_HTTP_BODY must hold {to} and {text}"
        return self._settings.placeholder()

    async def send(self, sms: Sms, message_id: str) -> None:
        """Send the message; gateways that support `Idempotency-Key` ignore a repeated request."""
        given = self._settings
        lacking = self.missing()
        if lacking is not None:
            raise SendFailed(lacking)
        headers = {name: value.get_secret_value() for name, value in given.headers.items()}
        try:
            answer = await self._http.request(
                "POST",
                given.url,
                headers={"Idempotency-Key": message_id, **headers},
                json=_filled(given.body, sms),
                timeout=given.timeout,
                max_bytes=64 * 1024,
            )
        except HttpError as error:
            raise SendFailed(f"the SMS gateway cannot be reached: {type(error).__name__}") from None
        if 200 <= answer.status < 300:
            return
        reason = f"the SMS gateway answered {answer.status}"
        if answer.status in (401, 403, 404, 408, 425, 429) or answer.status >= 500 or answer.status < 400:
            raise SendFailed(reason, retry_after_seconds(answer))
        raise SenderRefused(reason)


def _filled(shape: Any, sms: Sms) -> Any:
    """The body with its marks filled in, inside the strings: a message cannot change the JSON around it."""
    if isinstance(shape, dict):
        return {key: _filled(value, sms) for key, value in shape.items()}
    if isinstance(shape, list):
        return [_filled(value, sms) for value in shape]
    if isinstance(shape, str):
        return sms.text.join(part.replace("{to}", sms.to) for part in shape.split("{text}"))
    return shape
