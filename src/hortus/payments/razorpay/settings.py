"""Settings of Razorpay, named as in Razorpay's own examples."""

from typing import Annotated, ClassVar

from pydantic import Field, SecretStr, StringConstraints, field_validator
from pydantic_settings import SettingsConfigDict

from hortus.core.configuration import CommaSeparated, Rule, Secret, SettingsGroup
from hortus.core.settings import SecureAddress
from hortus.payments.amounts import load

AMOUNTS = load("hortus.payments.razorpay")
"""Razorpay's currency table. Its units are those of ISO 4217 in every documented currency."""

Currencies = Annotated[
    tuple[Annotated[str, StringConstraints(to_upper=True, pattern=r"^[A-Za-z]{3}$")], ...],
    *CommaSeparated,
    Field(min_length=1),
    Rule("currencies of three letters with commas between them, such as INR,USD"),
]


class RazorpaySettings(SettingsGroup):
    """One Razorpay account. The operator chooses the webhook secret; it differs from the key secret."""

    model_config = SettingsConfigDict(env_prefix="RAZORPAY_")
    heading: ClassVar[str] = "Razorpay"
    credentials: ClassVar[frozenset[str]] = frozenset({"key_id"})

    key_id: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""
    """The id of an API key, such as `rzp_live_…`."""
    key_secret: Secret = SecretStr("")
    """The secret of that key."""
    webhook_secret: Secret = SecretStr("")
    """The secret that was entered for the webhook at Razorpay."""
    api_base: SecureAddress = "https://api.razorpay.com"
    """For tests and proxies."""
    shop_name: str = Field("Hortus", min_length=1, max_length=60)
    """The title of Razorpay's form."""
    timeout: int = Field(20, ge=1, le=50)
    """Seconds to wait for a response."""
    currencies: Currencies = ("INR",)
    """Currencies of the account, the default first. Razorpay must activate all but INR."""

    @field_validator("currencies")
    @classmethod
    def _have_known_units(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for each in given:
            if AMOUNTS.rule(each) is None:
                raise ValueError(f"Razorpay does not document in which units it charges {each}")
        return given

    @property
    def root(self) -> str:
        """The base URL of the API."""
        return f"{self.api_base.rstrip('/').removesuffix('/v1')}/v1"

    def missing(self) -> str | None:
        """The variables that are missing, in one line; None if complete."""
        given = {
            "RAZORPAY_KEY_ID": self.key_id,
            "RAZORPAY_KEY_SECRET": self.key_secret.get_secret_value().strip(),
            "RAZORPAY_WEBHOOK_SECRET": self.webhook_secret.get_secret_value().strip(),
        }
        lacking = [name for name, value in given.items() if not value]
        return f"set {', '.join(lacking)}" if lacking else self.placeholder()
