"""What an operator sets for Razorpay, under the names that Razorpay's own examples use."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, PositiveInt, SecretStr, StringConstraints, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from hortus.core.settings import LOOPBACK


class Settings(BaseSettings):
    """One account of Razorpay. The webhook secret is chosen by the operator, and is not the key's secret."""

    model_config = SettingsConfigDict(
        title="RAZORPAY_", env_prefix="RAZORPAY_", env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    key_id: Annotated[str, StringConstraints(strip_whitespace=True)] = ""
    key_secret: SecretStr = SecretStr("")
    webhook_secret: SecretStr = SecretStr("")
    api_base: str = "https://api.razorpay.com"
    shop_name: str = Field("Hortus", min_length=1, max_length=60)
    """What the buyer reads at the top of Razorpay's form."""
    timeout: PositiveInt = 20
    """Seconds to wait for an answer."""
    currencies: Annotated[tuple[str, ...], NoDecode] = ("INR",)
    """What the account may charge, the first by default. Others than INR must be activated at Razorpay first."""

    @field_validator("currencies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().upper() for part in value.split(",") if part.strip())
        return value

    @field_validator("currencies")
    @classmethod
    def _are_codes(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if not given or not all(len(each) == 3 and each.isascii() and each.isalpha() for each in given):
            raise ValueError("write currencies as codes of three letters, such as INR,USD")
        return given

    @field_validator("api_base")
    @classmethod
    def _is_safe(cls, given: str) -> str:
        parts = urlsplit(given)
        here = parts.scheme == "http" and parts.hostname in LOOPBACK
        if not parts.hostname or (parts.scheme != "https" and not here):
            raise ValueError("the key's secret is sent there: https only, or http on this machine")
        return given

    @property
    def root(self) -> str:
        """The address that all paths of the API follow."""
        return f"{self.api_base.rstrip('/').removesuffix('/v1')}/v1"

    def missing(self) -> str | None:
        """The variables without which nothing can be sold, in one line."""
        given = {
            "RAZORPAY_KEY_ID": self.key_id,
            "RAZORPAY_KEY_SECRET": self.key_secret.get_secret_value().strip(),
            "RAZORPAY_WEBHOOK_SECRET": self.webhook_secret.get_secret_value().strip(),
        }
        lacking = [name for name, value in given.items() if not value]
        return f"set {', '.join(lacking)}" if lacking else None
