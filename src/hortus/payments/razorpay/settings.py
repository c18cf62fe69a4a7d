"""What an operator sets for Razorpay, under the names that Razorpay's own examples use."""

from typing import Annotated, ClassVar

from pydantic import Field, SecretStr, StringConstraints, field_validator
from pydantic_settings import SettingsConfigDict

from hortus.core.configuration import CommaSeparated, Rule, Secret, SettingsGroup
from hortus.core.settings import SecureAddress
from hortus.payments.amounts import load

AMOUNTS = load("hortus.payments.razorpay")
"""Razorpay's table of currencies. Its units are those of ISO 4217 in every currency that it documents."""

Currencies = Annotated[
    tuple[Annotated[str, StringConstraints(to_upper=True, pattern=r"^[A-Za-z]{3}$")], ...],
    *CommaSeparated,
    Field(min_length=1),
    Rule("currencies of three letters with commas between them, such as INR,USD"),
]


class RazorpaySettings(SettingsGroup):
    """One account of Razorpay. The webhook secret is chosen by the operator, and is not the key's secret."""

    model_config = SettingsConfigDict(env_prefix="RAZORPAY_")
    heading: ClassVar[str] = "Razorpay"
    credentials: ClassVar[frozenset[str]] = frozenset({"key_id"})

    key_id: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""
    """The id of an API key, such as `rzp_live_…`."""
    key_secret: Secret = SecretStr("")
    """The secret of that key."""
    webhook_secret: Secret = SecretStr("")
    """What you wrote as the secret of the webhook at Razorpay."""
    api_base: SecureAddress = "https://api.razorpay.com"
    """For tests and proxies."""
    shop_name: str = Field("Hortus", min_length=1, max_length=60)
    """What the buyer reads at the top of Razorpay's form."""
    timeout: int = Field(20, ge=1, le=50)
    """Seconds to wait for an answer."""
    currencies: Currencies = ("INR",)
    """What the account may charge, the first by default. Others than INR must be activated at Razorpay first."""

    @field_validator("currencies")
    @classmethod
    def _have_known_units(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for each in given:
            if AMOUNTS.rule(each) is None:
                raise ValueError(f"Razorpay does not document in which units it charges {each}")
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
        return f"set {', '.join(lacking)}" if lacking else self.placeholder()
