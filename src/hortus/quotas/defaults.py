"""What the two plans allow on a new installation."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Annotated, ClassVar

from pydantic import Field

from hortus.core.configuration import SettingsGroup
from hortus.core.money import MICRO
from hortus.core.settings import Settings
from hortus.quotas.windows import Window

BASIC = "basic"
PRO = "pro"
QUALITIES = ("economy", "balanced", "premium")


MinorUnits = Annotated[int, Field(ge=0, le=10_000_000_000)]


class PlanSettings(SettingsGroup):
    """What an operator may set about prices: `PRO_PRICE_INR_MINOR` (paise), `PRO_PRICE_USD_MINOR` (cents),
    the same with `PRO_YEARLY_`, `PRO_MONTHLY_CREDITS` (whole credits), `PRO_TRIAL_DAYS`.

    2000 credits let a customer use all 1600 images of a month at one credit each and leave
    400 for what else costs credits.
    """

    heading: ClassVar[str] = "The plan Pro"

    pro_price_inr_minor: MinorUnits = 500_00
    """The price of a month in paise."""
    pro_price_usd_minor: MinorUnits = 9_00
    """The price of a month in cents."""
    pro_yearly_price_inr_minor: MinorUnits = 5000_00
    """The price of a year in paise."""
    pro_yearly_price_usd_minor: MinorUnits = 90_00
    """The price of a year in cents."""
    pro_monthly_credits: int = Field(2000, ge=0, le=1_000_000_000)
    """Whole credits that each month brings."""
    pro_trial_days: int = Field(0, ge=0, le=365)
    """Days before the first payment; 0 sells no trial."""


@dataclass(frozen=True, slots=True)
class WindowTerms:
    """At most `limit` of `kind` per `window`; None is unlimited."""

    kind: str
    window: Window
    limit: int | None


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """All that is sold under a name. `prices` are minor units a month by currency, credits are micro-credits.

    `features` are words for price lists; `qualities` are those that may be asked for.
    """

    name: str
    title: str
    prices: dict[str, int]
    monthly_credits: int
    windows: tuple[WindowTerms, ...]
    yearly_prices: dict[str, int] = field(default_factory=dict)
    features: tuple[str, ...] = ()
    qualities: tuple[str, ...] = QUALITIES
    trial_days: int = 0

    def prices_per(self, interval: str) -> dict[str, int]:
        """Minor units by currency for a `month` or a `year`; empty when it is not sold so."""
        return self.yearly_prices if interval == "year" else self.prices

    def digest(self) -> str:
        """Equal for equal terms."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def default_terms(settings: Settings, plan_settings: PlanSettings) -> tuple[PlanTerms, ...]:
    """The defaults with what the operator set."""
    basic_chat = 5 if settings.basic_daily_limit is None else settings.basic_daily_limit
    pro_chat = 1000 if settings.pro_daily_limit is None else settings.pro_daily_limit
    return (
        PlanTerms(
            name=BASIC,
            title="Basic",
            prices={"INR": 0, "USD": 0},
            monthly_credits=0,
            windows=(
                WindowTerms("chat", "day", basic_chat),
                WindowTerms("text", "day", 5),
                WindowTerms("text", "month", 50),
                WindowTerms("image", "month", 5),
                WindowTerms("video", "month", 1),
            ),
            features=("Text, chat, pictures and talking photos",),
        ),
        PlanTerms(
            name=PRO,
            title="Pro",
            prices={"INR": plan_settings.pro_price_inr_minor, "USD": plan_settings.pro_price_usd_minor},
            monthly_credits=plan_settings.pro_monthly_credits * MICRO,
            windows=(
                WindowTerms("chat", "day", pro_chat),
                WindowTerms("text", "day", 500),
                WindowTerms("image", "month", 1600),
                WindowTerms("video", "month", 60),
            ),
            yearly_prices={
                "INR": plan_settings.pro_yearly_price_inr_minor,
                "USD": plan_settings.pro_yearly_price_usd_minor,
            },
            features=("Everything of Basic, much more of it", "Credit every month"),
            trial_days=plan_settings.pro_trial_days,
        ),
    )
