"""Terms of the two default plans, and the settings that change them."""

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
    """Settings of the plan Pro: prices, monthly credits and trial.

    The default of 2000 credits pays for all 1600 images of a month at one credit each and leaves 400 credits
    for other generations.
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
    """Terms of one version of a plan. `prices` are minor units per month by currency, credits are micro-credits.

    `features` are texts for price lists; `qualities` are the qualities that its users may request.
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
        """Minor units by currency for a `month` or a `year`; empty when the plan is not sold for that interval."""
        return self.yearly_prices if interval == "year" else self.prices

    def digest(self) -> str:
        """Equal for equal terms."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def default_terms(settings: Settings, plan_settings: PlanSettings) -> tuple[PlanTerms, ...]:
    """The default plans, with the values of the settings."""
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
            features=("Text, chat, images and talking photos",),
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
