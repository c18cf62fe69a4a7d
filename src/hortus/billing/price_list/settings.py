"""Settings of the price list: free amounts, grace, rollover, low balance, referrals."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from hortus.billing.errors import AmountNotOffered
from hortus.core.configuration import Days, Json, Rule, SettingsGroup
from hortus.core.money import MICRO


def _in_micro(rates: dict[str, Decimal]) -> dict[str, Decimal]:
    if any(not 0 < rate <= 1_000_000 or rate * MICRO != (rate * MICRO).to_integral_value() for rate in rates.values()):
        raise ValueError("above zero, with at most six decimals")
    return rates


Currency = Annotated[str, Field(pattern=r"^[A-Za-z]{3}$")]


WholeCredits = Annotated[int, Field(ge=0, le=1_000_000_000)]


AmountsByCurrency = Annotated[
    dict[Currency, Annotated[int, Field(ge=1, le=10_000_000_000)]],
    *Json,
    Rule('a JSON object of minor units by currency, such as {"INR": 5000}'),
]


class BillingSettings(SettingsGroup):
    """Settings of billing beyond plans."""

    heading: ClassVar[str] = "Selling"

    payment_grace_days: Days = 3
    """Days for which a plan continues when its renewal is late or declined."""
    plan_rollover_periods: int = Field(0, ge=0, le=24)
    """Number of further periods for which the credits of a plan stay valid."""
    payment_currency: Annotated[str, Field(pattern=r"^([A-Za-z]{3})?$"), Rule("a currency such as INR")] = ""
    """Default currency of purchases; the first currency of the gateway unless set."""
    low_balance_credits: WholeCredits = 20
    """Balance in whole credits below which a customer is emailed, once per fall; 0 disables it."""
    auto_topup_per_hour: int = Field(3, ge=1, le=100)
    """Maximum charges of automatic top-ups per customer and hour."""
    referral_reward_credits: WholeCredits = 20
    """Whole credits for the referrer after the first payment of the new customer; 0 disables it."""
    referral_welcome_credits: WholeCredits = 20
    """The same for the new customer."""
    referral_clawback_days: Days = 30
    """Days within which a refund or lost dispute claws both rewards back."""
    topup_rates: Annotated[
        dict[Currency, Decimal],
        *Json,
        AfterValidator(_in_micro),
        Rule('a JSON object of credits above zero with at most six decimals by currency, such as {"INR": "0.9"}'),
    ] = Field(default_factory=lambda: {"INR": Decimal("0.9"), "USD": Decimal(45)})
    """Credits for a hundred minor units (a rupee, a dollar) of a free amount; `{}` sells packs only."""
    topup_min_minor: AmountsByCurrency = Field(default_factory=lambda: {"INR": 50_00, "USD": 1_00})
    """The minimum free amount."""
    topup_max_minor: AmountsByCurrency = Field(default_factory=lambda: {"INR": 50_000_00, "USD": 500_00})
    """The maximum free amount."""

    def amounts(self) -> "list[FreeAmount]":
        """The currencies of free amounts."""
        return [
            FreeAmount(
                currency.upper(),
                int(rate * MICRO),
                self.topup_min_minor.get(currency, 1),
                self.topup_max_minor.get(currency, 1_000_000_00),
            )
            for currency, rate in sorted(self.topup_rates.items())
        ]


@dataclass(frozen=True, slots=True)
class FreeAmount:
    """Rate and limits of free amounts in one currency."""

    currency: str
    credits_per_hundred: int
    """Micro-credits for a hundred minor units."""
    min_minor: int
    max_minor: int

    def credits_for(self, amount_minor: int) -> int:
        """Micro-credits for an amount, rounded down. Raises AmountNotOffered."""
        if not self.min_minor <= amount_minor <= self.max_minor:
            raise AmountNotOffered(currency=self.currency, min_minor=self.min_minor, max_minor=self.max_minor)
        worth = amount_minor * self.credits_per_hundred // 100
        if not worth:  # rounded down to nothing
            raise AmountNotOffered(currency=self.currency, min_minor=self.min_minor, max_minor=self.max_minor)
        return worth
