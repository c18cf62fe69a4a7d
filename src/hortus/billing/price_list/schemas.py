"""Schemas of the price list, and types that checkouts share."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from hortus.core.schemas import MicroCredits
from hortus.payments import Gateway
from hortus.quotas import PlanVersion

Currency = Annotated[str, StringConstraints(max_length=3, pattern=r"^[A-Za-z]{3}$", to_upper=True)]


Name = Annotated[str, StringConstraints(max_length=20, pattern=r"^[A-Za-z0-9_-]{1,20}$")]


GatewayName = Annotated[str, StringConstraints(max_length=40, pattern=r"^[a-z0-9_-]{1,40}$")]


GatewayId = Annotated[str, StringConstraints(max_length=40)]


Interval = Literal["month", "year"]


class PriceOut(BaseModel):
    """The price of one interval, in the minor unit of the currency."""

    currency: str
    interval: Interval
    amount_minor: int


class WindowOut(BaseModel):
    """A quota window; a null limit means unlimited."""

    kind: str
    window: str
    limit: int | None


class PlanOut(BaseModel):
    """A plan on sale."""

    id: str
    name: str
    version: int
    title: str
    prices: list[PriceOut]
    monthly_credits: MicroCredits
    windows: list[WindowOut]
    features: list[str]
    qualities: list[str]
    trial_days: int

    @classmethod
    def of(cls, plan: PlanVersion) -> "PlanOut":
        """From one version of a plan."""
        terms = plan.terms
        intervals: tuple[Interval, ...] = ("month", "year")
        return cls(
            id=plan.id,
            name=plan.name,
            version=plan.version,
            title=terms.title,
            prices=[
                PriceOut(currency=currency, interval=interval, amount_minor=amount)
                for interval in intervals
                for currency, amount in sorted(terms.prices_per(interval).items())
            ],
            monthly_credits=terms.monthly_credits,
            windows=[WindowOut(kind=each.kind, window=each.window, limit=each.limit) for each in terms.windows],
            features=list(terms.features),
            qualities=list(terms.qualities),
            trial_days=terms.trial_days,
        )


class PackOut(BaseModel):
    """A pack on sale; `prices` in the minor unit by currency."""

    id: str
    name: str
    title: str
    credits: MicroCredits
    prices: dict[str, int]


class AmountOut(BaseModel):
    """Limits and rate of free amounts in one currency."""

    currency: str
    credits_per_hundred: MicroCredits = Field(description="Micro-credits for a hundred minor units")
    min_minor: int
    max_minor: int


class GatewayOut(BaseModel):
    """A configured gateway."""

    id: str
    title: str
    currencies: list[str]
    subscriptions: bool

    @classmethod
    def of(cls, gateway: Gateway) -> "GatewayOut":
        """From an adapter."""
        can = gateway.capabilities
        return cls(id=gateway.id, title=gateway.title, currencies=list(can.currencies), subscriptions=can.subscriptions)


class PriceList(BaseModel):
    """Everything on sale."""

    plans: list[PlanOut]
    packs: list[PackOut]
    amounts: list[AmountOut]
    gateways: list[GatewayOut]
