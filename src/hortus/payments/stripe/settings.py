"""What an operator sets for Stripe."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from hortus.core.settings import LOOPBACK

SECRET_KINDS = ("sk_", "rk_")


class Settings(BaseSettings):
    """STRIPE_SECRET_KEY (or STRIPE_API_KEY) and STRIPE_WEBHOOK_SECRET are needed; the rest has defaults.

    STRIPE_CURRENCIES lists what may be charged, the most fitting first. STRIPE_TIMEOUT is in seconds, for one call.
    STRIPE_API_BASE is for tests and proxies: https, or http on this machine.
    """

    model_config = SettingsConfigDict(
        title="STRIPE_", env_prefix="STRIPE_", env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    secret_key: SecretStr = Field(SecretStr(""), validation_alias=AliasChoices("STRIPE_SECRET_KEY", "STRIPE_API_KEY"))
    webhook_secret: SecretStr = SecretStr("")
    currencies: Annotated[tuple[str, ...], NoDecode] = ("USD", "EUR", "GBP", "INR")
    api_base: str = "https://api.stripe.com"
    timeout: float = Field(20.0, gt=0, le=50)

    @field_validator("currencies", mode="before")
    @classmethod
    def _split(cls, given: object) -> object:
        return tuple(part.strip().upper() for part in given.split(",")) if isinstance(given, str) else given

    @field_validator("currencies")
    @classmethod
    def _are_codes(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if not given or not all(len(each) == 3 and each.isascii() and each.isalpha() for each in given):
            raise ValueError("write currencies as codes of three letters, such as USD,INR")
        return given

    @field_validator("api_base")
    @classmethod
    def _is_safe(cls, given: str) -> str:
        parts = urlsplit(given)
        if not parts.hostname or (
            parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK)
        ):
            raise ValueError("the secret key is sent there: https only, or http on this machine")
        return given

    @property
    def key(self) -> str:
        """The secret key, without what pasting left around it."""
        return self.secret_key.get_secret_value().strip()

    @property
    def signing_secret(self) -> str:
        """The secret of the webhook endpoint; empty when there is none."""
        return self.webhook_secret.get_secret_value().strip()

    def missing(self) -> str | None:
        """What is not set, by the names of the variables."""
        absent = []
        if not self.key:
            absent.append("STRIPE_SECRET_KEY")
        if not self.signing_secret:
            absent.append("STRIPE_WEBHOOK_SECRET")
        if absent:
            return f"set {' and '.join(absent)}"
        if not self.key.startswith(SECRET_KINDS):
            return "STRIPE_SECRET_KEY must be a secret or restricted key (sk_… or rk_…)"
        return None
