"""The dated catalogue of models: their offers, prices and costs."""

import tomllib
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from hortus.core.money import credits_from_text
from hortus.providers import Operation

Tier = Literal["economy", "balanced", "premium"]
TIERS: tuple[Tier, ...] = ("economy", "balanced", "premium")


class CatalogError(Exception):
    """The catalogue file is invalid; the message names the place."""


def _amount(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError('write amounts as text, such as "0.25"')
    micro = credits_from_text(value)
    if micro < 0:
        raise ValueError("an amount is never negative")
    return micro


Micro = Annotated[int, BeforeValidator(_amount)]
"""Millionths of a credit or of a currency unit, written as decimal text in the file."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Price(_Part):
    """The price for customers, in micro-credits."""

    per_call: Micro = 0
    per_1k_tokens: Micro = 0
    per_image: Micro = 0
    per_megapixel: Micro = 0
    """A megapixel is 1024 x 1024 pixels of the result."""
    per_second: Micro = 0
    """Of the video."""
    minimum: Micro = 0


class Cost(_Part):
    """The charge of the vendor, in millionths of `currency`."""

    currency: str = "USD"
    per_million_input: Micro = 0
    per_million_output: Micro = 0
    per_image: Micro = 0
    per_second: Micro = 0


class Offer(_Part):
    """One provider's version of a model. `model` is the vendor's own name for it."""

    provider: str
    model: str
    cost: Cost = Cost()
    retires: date | None = None
    typical_s: int = Field(10, ge=0)
    """Seconds from start to result for the smallest size; the size adds the following milliseconds."""
    typical_ms_per_token: int = Field(0, ge=0)
    typical_ms_per_megapixel: int = Field(0, ge=0)
    typical_ms_per_second: int = Field(0, ge=0)


class Model(_Part):
    """A model that customers can name."""

    id: str
    title: str
    operations: tuple[Operation, ...]
    tier: Tier
    score: int = Field(ge=0, le=100)
    sketch: bool = False
    price: Price
    offer: tuple[Offer, ...]


class _File(_Part):
    dated: date
    model: tuple[Model, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    """The catalogue in force. `dated` is the day its facts were checked."""

    dated: date
    models: tuple[Model, ...]

    def model(self, id: str) -> Model | None:
        """The model of that id, or None."""
        return next((model for model in self.models if model.id == id), None)


def load(path: Path | None = None) -> Catalog:
    """The built-in catalogue, or the operator's file instead. Raises CatalogError with the place of the fault."""
    source = path or resources.files("hortus.routing") / "catalog.toml"
    try:
        parsed = _File.model_validate(tomllib.loads(source.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise CatalogError(f"the catalogue {source} cannot be used: {error}") from error
    seen = [model.id for model in parsed.model]
    twice = {name for name in seen if seen.count(name) > 1}
    if twice:
        raise CatalogError(f"the catalogue {source} names a model twice: {', '.join(sorted(twice))}")
    return Catalog(parsed.dated, parsed.model)
