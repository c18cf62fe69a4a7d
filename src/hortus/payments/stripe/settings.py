"""Settings of Stripe."""

from typing import Annotated, ClassVar

from pydantic import AliasChoices, Field, SecretStr, StringConstraints, field_validator
from pydantic_settings import SettingsConfigDict

from hortus.core.configuration import CommaSeparated, Rule, Secret, SettingsGroup
from hortus.core.settings import SecureAddress
from hortus.payments.stripe.currencies import AMOUNTS

SECRET_KINDS = ("sk_", "rk_")


Currencies = Annotated[
    tuple[Annotated[str, StringConstraints(to_upper=True, pattern=r"^[A-Za-z]{3}$")], ...],
    *CommaSeparated,
    Field(min_length=1),
    Rule("currencies of three letters with commas between them, such as USD,INR"),
]


class StripeSettings(SettingsGroup):
    """STRIPE_SECRET_KEY (or STRIPE_API_KEY) and STRIPE_WEBHOOK_SECRET are needed; the rest has defaults.

    STRIPE_CURRENCIES lists the currencies, the preferred one first. STRIPE_TIMEOUT is in seconds, for one call.
    STRIPE_API_BASE is for tests and proxies: https, or http on this machine.
    """

    model_config = SettingsConfigDict(env_prefix="STRIPE_")
    heading: ClassVar[str] = "Stripe"

    secret_key: Secret = Field(SecretStr(""), validation_alias=AliasChoices("STRIPE_SECRET_KEY", "STRIPE_API_KEY"))
    """A secret or restricted key (`sk_…` or `rk_…`)."""
    webhook_secret: Secret = SecretStr("")
    """The signing secret of the webhook endpoint (`whsec_…`)."""
    currencies: Currencies = ("USD", "EUR", "GBP", "INR")
    """Currencies that may be charged, the preferred one first."""
    api_base: SecureAddress = "https://api.stripe.com"
    """For tests and proxies: https, or http on this machine."""
    timeout: float = Field(20.0, gt=0, le=50)
    """Seconds for one call."""

    @field_validator("currencies")
    @classmethod
    def _are_charged(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for each in given:
            if AMOUNTS.rule(each) is None:
                raise ValueError(f"Stripe charges nothing in {each}")
        return given

    @property
    def key(self) -> str:
        """The secret key without surrounding white space."""
        return self.secret_key.get_secret_value().strip()

    @property
    def signing_secret(self) -> str:
        """The secret of the webhook endpoint; empty when there is none."""
        return self.webhook_secret.get_secret_value().strip()

    def missing(self) -> str | None:
        """The variables that are missing, in one line; None if complete."""
        absent = []
        if not self.key:
            absent.append("STRIPE_SECRET_KEY")
        if not self.signing_secret:
            absent.append("STRIPE_WEBHOOK_SECRET")
        if absent:
            return f"set {' and '.join(absent)}"
        if not self.key.startswith(SECRET_KINDS):
            return "STRIPE_SECRET_KEY must be a secret or restricted key (sk_… or rk_…)"
        return self.placeholder()
