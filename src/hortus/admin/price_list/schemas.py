"""Request and response bodies of plans and packs."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints, field_validator

from hortus.admin.schemas import Reason
from hortus.core.schemas import Body, Line, MicroCredits, Time

Name = Annotated[str, StringConstraints(max_length=20, pattern=r"^[A-Za-z0-9_-]{1,20}$")]
Currency = Annotated[str, StringConstraints(max_length=3, pattern=r"^[A-Z]{3}$")]
Prices = Annotated[dict[Currency, Annotated[int, Field(ge=0, le=10**12)]], Field(max_length=20)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True), Line]
Amount = Annotated[str, StringConstraints(max_length=15, pattern=r"^(0|[1-9][0-9]{0,14})$")]
Quality = Literal["economy", "balanced", "premium"]


class WindowIn(Body):
    """Limit of a kind of generation per day or month; null is unlimited."""

    kind: Literal["text", "image", "video", "chat"]
    window: Literal["day", "month"]
    limit: Annotated[int, Field(ge=0, le=10**9)] | None


class PlanIn(Body):
    """A new version of a plan, or a new plan. Prices are minor units by currency, credits micro-credits as a string."""

    name: Name
    title: Title
    prices: Prices
    yearly_prices: Prices = Field(default_factory=dict)
    monthly_credits: Amount
    windows: list[WindowIn] = Field(max_length=20)
    features: list[Title] = Field(default_factory=list, max_length=20)
    qualities: list[Quality] = Field(["economy", "balanced", "premium"], min_length=1, max_length=3)
    trial_days: int = Field(0, ge=0, le=365)
    reason: Reason

    @field_validator("windows")
    @classmethod
    def _each_once(cls, value: list[WindowIn]) -> list[WindowIn]:
        if len({(each.kind, each.window) for each in value}) < len(value):
            raise ValueError("each pair of kind and window must occur once")
        return value


class PackIn(Body):
    """A new version of a pack, or a new pack."""

    name: Name
    title: Title
    credits: Amount = Field(description="Micro-credits as a decimal string")
    prices: Prices
    reason: Reason

    @field_validator("credits")
    @classmethod
    def _some(cls, value: str) -> str:
        if value == "0":
            raise ValueError("credits must be > 0")
        return value


class WindowOut(BaseModel):
    """Limit of a kind of generation per day or month; null is unlimited."""

    kind: str
    window: str
    limit: int | None


class PlanVersionOut(BaseModel):
    """One version of a plan. The newest active one is on sale; subscribers of older ones keep theirs until renewal."""

    id: str
    name: str
    version: int
    active: bool
    title: str
    prices: dict[str, int]
    yearly_prices: dict[str, int]
    monthly_credits: MicroCredits
    windows: list[WindowOut]
    features: list[str]
    qualities: list[str]
    trial_days: int
    created_at: Time


class PackVersionOut(BaseModel):
    """One version of a pack. The newest one is on sale if it is active."""

    id: str
    name: str
    version: int
    active: bool
    title: str
    credits: MicroCredits
    prices: dict[str, int]
    created_at: Time


class SaleOut(BaseModel):
    """A plan or pack whose sale ended."""

    name: str
    on_sale: bool
